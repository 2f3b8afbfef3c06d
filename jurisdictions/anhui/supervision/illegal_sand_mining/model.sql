/* ---
title: {zh: 无证采砂运砂, en: Sand trucks at the river by night without a permit}
function: public_interest
legal_ground: {zh: 《水法》第三十九条；《矿产资源法》第三条, en: "Water Law art. 39, Mineral Resources Law art. 3"}
ground: illegal_sand
subject: person
severity: 3
spark: true
evidence: [vehicle_tracks]
columns: [amount_cents, records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, gap_days, matched_by, age_years]
--- */
-- Four night passes at the river by a truck that had no permit on those days.
WITH found AS (
    SELECT
        t.owner_id AS subject_id,
        sum(t.load_cents) AS amount_cents,
        count(*) AS records,
        any_value(t.agency_id) AS body_id,
        min(t.passed_on) AS first_on,
        max(t.passed_on) AS last_on,
        max(t.uploaded_on) AS uploaded_on,
        any_value(t.matched_by) AS matched_by,
        list('vehicle_tracks/' || t.record_no) AS evidence
    FROM vehicle_tracks AS t
    ANTI JOIN permits AS p
        ON p.plate = t.plate AND t.passed_on BETWEEN p.granted_on AND p.valid_until
    WHERE t.minute < 300
    GROUP BY t.owner_id
    HAVING count(*) >= 4
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
    date_diff('day', f.last_on, f.uploaded_on) AS lag_days,
    date_diff('day', f.first_on, f.last_on) AS gap_days,
    f.matched_by,
    year(f.last_on) - s.birth_year AS age_years,
    f.evidence
FROM found AS f
JOIN persons AS s ON s.person_id = f.subject_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
