/* ---
title: {zh: 服刑期间领取养老待遇, en: Pension paid while in custody}
function: public_interest
legal_ground: {zh: 《社会保险基金行政监督办法》第三十二条, en: Measures on Supervision of Social Insurance Funds art. 32}
ground: pension_in_custody
subject: person
severity: 3
evidence: [custody, benefit_payments]
columns: [amount_cents, records, body_id, company_id, phone_id, family_id, address_id, lag_days, matched_by, repaid_cents, age_years]
--- */
-- Payments dated after the day of entry; money paid back since is told apart.
SELECT
    p.person_id AS subject_id,
    '-' AS ground_key,
    any_value(s.county_id) AS office_id,
    sum(p.amount_cents) FILTER (p.amount_cents > 0) AS amount_cents,
    count(*) FILTER (p.amount_cents > 0) AS records,
    any_value(p.agency_id) AS body_id,
    any_value(s.company_id) AS company_id,
    any_value(s.phone_id) AS phone_id,
    any_value(s.family_id) AS family_id,
    any_value(c.address_id) AS address_id,
    date_diff('day', min(d.entered_on), min(d.reported_on)) AS lag_days,
    any_value(d.matched_by) AS matched_by,
    coalesce(-sum(p.amount_cents) FILTER (p.amount_cents < 0), 0) AS repaid_cents,
    year(min(d.entered_on)) - any_value(s.birth_year) AS age_years,
    list_concat(
        list(DISTINCT 'custody/' || d.record_no), list(DISTINCT 'benefit_payments/' || p.record_no)
    ) AS evidence
FROM custody AS d
JOIN benefit_payments AS p ON p.person_id = d.person_id AND p.paid_on > d.entered_on
JOIN persons AS s ON s.person_id = d.person_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
GROUP BY p.person_id
HAVING count(*) FILTER (p.amount_cents > 0) > 0
