/* ---
title: {zh: 服刑期间领取养老待遇, en: Pension paid while in custody}
function: public_interest
legal_ground: {zh: 《社会保险基金行政监督办法》第三十二条, en: "Measures on Supervision of Social Insurance Funds art. 32"}
ground: pension_in_custody
subject: person
severity: 3
spark: true
evidence: [custody, benefit_payments]
columns: [amount_cents, records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, gap_days, matched_by, repaid_cents, repaid_percent, age_years]
--- */
-- Payments dated after the day of entry; money paid back since is told apart.
WITH began AS (
    SELECT
        person_id,
        min(entered_on) AS on_day,
        min(reported_on) AS told_on,
        any_value(matched_by ORDER BY record_no) AS matched_by,
        list('custody/' || record_no) AS records
    FROM custody
    GROUP BY person_id
),
found AS (
    SELECT
        b.person_id AS subject_id,
        sum(p.amount_cents) FILTER (p.amount_cents > 0) AS amount_cents,
        count(*) FILTER (p.amount_cents > 0) AS records,
        coalesce(-sum(p.amount_cents) FILTER (p.amount_cents < 0), 0) AS repaid_cents,
        min(p.paid_on) FILTER (p.amount_cents > 0) AS first_paid_on,
        arg_max(p.agency_id, p.paid_on) AS body_id,
        list('benefit_payments/' || p.record_no) AS payments
    FROM began AS b
    JOIN benefit_payments AS p ON p.person_id = b.person_id AND p.paid_on > b.on_day
    GROUP BY b.person_id
    HAVING count(*) FILTER (p.amount_cents > 0) > 0
)
SELECT
    f.subject_id,
    '-' AS ground_key,
    s.county_id AS office_id,
    f.amount_cents,
    f.records,
    f.body_id,
    s.person_id,
    s.company_id,
    s.phone_id,
    s.family_id,
    c.address_id,
    date_diff('day', b.on_day, b.told_on) AS lag_days,
    date_diff('day', b.on_day, f.first_paid_on) AS gap_days,
    b.matched_by,
    f.repaid_cents,
    100 * f.repaid_cents // f.amount_cents AS repaid_percent,
    year(b.on_day) - s.birth_year AS age_years,
    list_concat(b.records, f.payments) AS evidence
FROM found AS f
JOIN began AS b ON b.person_id = f.subject_id
JOIN persons AS s ON s.person_id = f.subject_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
