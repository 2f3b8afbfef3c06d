/* ---
title: {zh: 死亡后继续领取养老待遇, en: Pension paid after a recorded death}
function: public_interest
legal_ground: {zh: 《社会保险法》第八十八条, en: Social Insurance Law art. 88}
ground: pension_after_death
subject: person
severity: 3
evidence: [deaths, benefit_payments]
columns: [amount_cents, records, body_id, company_id, phone_id, family_id, address_id, lag_days, matched_by, repaid_cents, age_years]
--- */
-- Payments dated after the day of death; money paid back since is told apart.
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
    date_diff('day', min(d.died_on), min(d.reported_on)) AS lag_days,
    any_value(d.matched_by) AS matched_by,
    coalesce(-sum(p.amount_cents) FILTER (p.amount_cents < 0), 0) AS repaid_cents,
    year(min(d.died_on)) - any_value(s.birth_year) AS age_years,
    list_concat(
        list(DISTINCT 'deaths/' || d.record_no), list(DISTINCT 'benefit_payments/' || p.record_no)
    ) AS evidence
FROM deaths AS d
JOIN benefit_payments AS p ON p.person_id = d.person_id AND p.paid_on > d.died_on
JOIN persons AS s ON s.person_id = d.person_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
GROUP BY p.person_id
HAVING count(*) FILTER (p.amount_cents > 0) > 0
