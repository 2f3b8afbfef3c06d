/* ---
title: {zh: 未来半年可能不合格的单位, en: Facility that may fail within six months}
function: public_interest
legal_ground: {zh: 芝加哥市法典第7-38章（食品卫生）, en: "Municipal Code of Chicago 7-38, food establishments"}
ground: food_safety_half_year
subject: facility
severity: 2
evidence: [entities]
columns: [facility_type, zip_code, facility_age_days]
raised: by_column
--- */
-- Reading 2: each facility on the register at the start of a half-year is a clue. A facility whose
-- first visit falls on that very day is on that day's list, so the day itself counts.
SELECT
    e.entity_id AS subject_id,
    strftime(d.as_of, '%Y-%m-%d') AS ground_key,
    'chicago' AS office_id,
    d.as_of AS raised_at,
    e.facility_type,
    e.zip_code,
    date_diff('day', e.start_time, d.as_of) AS facility_age_days,
    ['entities/' || e.record_no] AS evidence
FROM entities AS e
JOIN (
    SELECT unnest(generate_series(TIMESTAMP '2012-01-01', TIMESTAMP '2014-01-01', INTERVAL 6 MONTH)) AS as_of
) AS d ON e.start_time <= d.as_of
