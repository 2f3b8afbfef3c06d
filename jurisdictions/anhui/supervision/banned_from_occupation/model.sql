/* ---
title: {zh: 被禁止从业人员仍在从业, en: Convicted and working in the trade that is barred}
function: administrative
legal_ground: {zh: 《刑法》第三十七条之一；《食品安全法》第一百三十五条, en: "Criminal Law art. 37a, Food Safety Law art. 135"}
ground: banned_occupation
subject: person
severity: 4
spark: true
evidence: [sentences, employment]
columns: [records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, gap_days, matched_by, age_years]
--- */
-- Food or children, and a job with food or children that began after the sentence.
SELECT
    f.person_id AS subject_id,
    '-' AS ground_key,
    any_value(s.county_id) AS office_id,
    count(*) AS records,
    any_value(f.court_id) AS body_id,
    any_value(s.person_id) AS person_id,
    any_value(e.company_id) AS company_id,
    any_value(s.phone_id) AS phone_id,
    any_value(s.family_id) AS family_id,
    any_value(c.address_id) AS address_id,
    date_diff('day', min(e.started_on), min(e.recorded_on)) AS lag_days,
    date_diff('day', min(f.sentenced_on), min(e.started_on)) AS gap_days,
    any_value(e.matched_by) AS matched_by,
    year(min(f.sentenced_on)) - any_value(s.birth_year) AS age_years,
    list_concat(
        list(DISTINCT 'sentences/' || f.record_no), list(DISTINCT 'employment/' || e.record_no)
    ) AS evidence
FROM sentences AS f
JOIN employment AS e
    ON e.person_id = f.person_id
    AND e.started_on > f.sentenced_on
    AND e.post = CASE f.offence WHEN 'food_safety' THEN 'food_handling' ELSE 'teaching' END
JOIN persons AS s ON s.person_id = f.person_id
LEFT JOIN companies AS c ON c.company_id = e.company_id
WHERE f.offence IN ('food_safety', 'child_abuse')
GROUP BY f.person_id
