/* ---
title: {zh: 同一原告、同一律师的批量民间借贷诉讼, en: Serial lending suits by one plaintiff and one lawyer}
function: civil
legal_ground: {zh: 《民事诉讼法》第一百一十五条（虚假诉讼）, en: "Civil Procedure Law art. 115, false litigation"}
ground: false_litigation
subject: person
severity: 4
spark: true
evidence: [court_judgments]
columns: [amount_cents, records, body_id, lawyer_id, person_id, company_id, phone_id, family_id, address_id, lag_days, gap_days, matched_by, age_years]
since: 2022-09-01T00:00:00
--- */
-- Five judgments on private lending within three years, all with the same lawyer. Such clues go
-- to the city's office.
WITH found AS (
    SELECT
        plaintiff_id AS subject_id,
        lawyer_id,
        sum(amount_cents) AS amount_cents,
        count(*) AS records,
        any_value(court_id) AS body_id,
        min(judged_on) AS first_on,
        max(judged_on) AS last_on,
        max(published_on) AS published_on,
        any_value(matched_by) AS matched_by,
        list('court_judgments/' || record_no) AS evidence
    FROM court_judgments
    WHERE cause = 'private_lending' AND judged_on >= $moment - INTERVAL 1095 DAY
    GROUP BY plaintiff_id, lawyer_id
    HAVING count(*) >= 5
)
SELECT
    f.subject_id,
    '-' AS ground_key,
    left(s.county_id, 4) AS office_id,
    f.amount_cents,
    f.records,
    f.body_id,
    f.lawyer_id,
    s.person_id,
    s.company_id,
    s.phone_id,
    s.family_id,
    c.address_id,
    date_diff('day', f.last_on, f.published_on) AS lag_days,
    date_diff('day', f.first_on, f.last_on) // (f.records - 1) AS gap_days,
    f.matched_by,
    year(f.last_on) - s.birth_year AS age_years,
    f.evidence
FROM found AS f
JOIN persons AS s ON s.person_id = f.subject_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
