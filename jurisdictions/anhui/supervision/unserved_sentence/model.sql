/* ---
title: {zh: 判处监禁刑罚未收监执行, en: Sentenced to custody and never taken in}
function: criminal
legal_ground: {zh: 《刑事诉讼法》第二百六十四条, en: "Criminal Procedure Law art. 264"}
ground: sentence_not_served
subject: person
severity: 5
spark: true
evidence: [sentences]
columns: [records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, matched_by, age_years]
--- */
-- Sixty days after the sentence no record says that custody began.
SELECT
    f.person_id AS subject_id,
    '-' AS ground_key,
    any_value(s.county_id) AS office_id,
    count(*) AS records,
    any_value(f.court_id) AS body_id,
    any_value(s.person_id) AS person_id,
    any_value(s.company_id) AS company_id,
    any_value(s.phone_id) AS phone_id,
    any_value(s.family_id) AS family_id,
    any_value(c.address_id) AS address_id,
    date_diff('day', min(f.sentenced_on), min(f.reported_on)) AS lag_days,
    any_value(f.matched_by) AS matched_by,
    year(min(f.sentenced_on)) - any_value(s.birth_year) AS age_years,
    list('sentences/' || f.record_no) AS evidence
FROM sentences AS f
JOIN persons AS s ON s.person_id = f.person_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
WHERE f.penalty = 'custody'
    AND f.sentenced_on + INTERVAL 60 DAY < $moment
    AND NOT EXISTS (
        SELECT 1 FROM custody AS k WHERE k.person_id = f.person_id AND k.entered_on >= f.sentenced_on
    )
GROUP BY f.person_id
