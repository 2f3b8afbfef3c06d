/* ---
title: {zh: 同一原告、同一律师的批量民间借贷诉讼, en: Serial lending suits by one plaintiff and one lawyer}
function: civil
legal_ground: {zh: 《民事诉讼法》第一百一十五条（虚假诉讼）, en: "Civil Procedure Law art. 115, false litigation"}
ground: false_litigation
subject: person
severity: 4
evidence: [court_judgments]
columns: [amount_cents, records, body_id, company_id, phone_id, family_id, address_id, lag_days, matched_by, age_years]
since: 2022-09-01T00:00:00
--- */
-- Five judgments on private lending within a year, all with the same lawyer.
SELECT
    j.plaintiff_id AS subject_id,
    '-' AS ground_key,
    any_value(p.county_id) AS office_id,
    sum(j.amount_cents) AS amount_cents,
    count(*) AS records,
    any_value(j.court_id) AS body_id,
    any_value(p.company_id) AS company_id,
    any_value(p.phone_id) AS phone_id,
    any_value(p.family_id) AS family_id,
    any_value(c.address_id) AS address_id,
    date_diff('day', max(j.judged_on), max(j.published_on)) AS lag_days,
    any_value(j.matched_by) AS matched_by,
    year(max(j.judged_on)) - any_value(p.birth_year) AS age_years,
    list('court_judgments/' || j.record_no) AS evidence
FROM court_judgments AS j
JOIN persons AS p ON p.person_id = j.plaintiff_id
LEFT JOIN companies AS c ON c.company_id = p.company_id
WHERE j.cause = 'private_lending' AND j.judged_on >= $moment - INTERVAL 365 DAY
GROUP BY j.plaintiff_id, j.lawyer_id
HAVING count(*) >= 5
