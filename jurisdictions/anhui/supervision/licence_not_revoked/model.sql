/* ---
title: {zh: 醉驾判决后驾驶证未吊销, en: Driving licence still valid after a drunk driving conviction}
function: administrative
legal_ground: {zh: 《道路交通安全法》第九十一条, en: "Road Traffic Safety Law art. 91"}
ground: licence_after_conviction
subject: person
severity: 4
spark: true
evidence: [sentences, driving_licences]
columns: [records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, matched_by, age_years]
--- */
-- The last state of the licence, as far as it is known, is still valid.
WITH licences AS (
    SELECT
        person_id,
        arg_max(status, changed_on) AS status,
        arg_max(record_no, changed_on) AS record_no
    FROM driving_licences
    SEMI JOIN (SELECT person_id FROM sentences WHERE offence = 'drunk_driving') USING (person_id)
    GROUP BY person_id
)
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
    list_concat(
        list(DISTINCT 'sentences/' || f.record_no), list(DISTINCT 'driving_licences/' || l.record_no)
    ) AS evidence
FROM sentences AS f
JOIN licences AS l ON l.person_id = f.person_id
JOIN persons AS s ON s.person_id = f.person_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
WHERE f.offence = 'drunk_driving' AND l.status = 'valid'
GROUP BY f.person_id
