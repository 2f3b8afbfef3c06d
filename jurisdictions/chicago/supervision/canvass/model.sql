/* ---
title: {zh: 例行食品检查, en: Canvass inspection of a food facility}
function: public_interest
legal_ground: {zh: 芝加哥市法典第7-38章（食品卫生）, en: "Municipal Code of Chicago 7-38, food establishments"}
ground: food_safety
subject: facility
severity: 3
evidence: [inspections, licences_at_inspection]
columns: [inspection_id, facility_type, zip_code, risk, cell_id, licence_age_years, ward, license_code, facility_age_days]
raised: by_column
--- */
-- Reading 1: each inspection is a clue, raised on the day it is scheduled for.
SELECT
    i.entity_id AS subject_id,
    i.inspection_id AS ground_key,
    'chicago' AS office_id,
    i.date AS raised_at,
    i.inspection_id,
    i.facility_type,
    i.zip_code,
    i.risk,
    i.cell_id,
    l.licence_age_years,
    l.ward,
    l.license_code,
    date_diff('day', i.start_time, i.date) AS facility_age_days,
    ['inspections/' || i.record_no] AS evidence
FROM inspections AS i
LEFT JOIN licences_at_inspection AS l ON l.inspection_id = i.inspection_id
