/* ---
title: {zh: 参保数日内申领工伤待遇, en: Work injury claimed within days of the first insurance}
function: criminal
legal_ground: {zh: 《刑法》第二百六十六条（诈骗）, en: "Criminal Law art. 266, fraud"}
ground: injury_fraud
subject: person
severity: 5
spark: true
evidence: [insurance_enrolment, injury_claims]
columns: [amount_cents, records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, matched_by, repaid_cents, repaid_percent, backdated_days, age_years]
--- */
WITH first_insured AS (
    SELECT
        person_id,
        min(enrolled_on) AS enrolled_on,
        arg_min(recorded_on, enrolled_on) AS recorded_on,
        arg_min(record_no, enrolled_on) AS record_no
    FROM insurance_enrolment
    SEMI JOIN injury_claims USING (person_id)
    GROUP BY person_id
)
SELECT
    k.person_id AS subject_id,
    '-' AS ground_key,
    any_value(s.county_id) AS office_id,
    sum(k.amount_cents) AS amount_cents,
    count(*) AS records,
    any_value(k.hospital_id) AS body_id,
    any_value(s.person_id) AS person_id,
    any_value(k.company_id) AS company_id,
    any_value(s.phone_id) AS phone_id,
    any_value(s.family_id) AS family_id,
    any_value(c.address_id) AS address_id,
    date_diff('day', min(k.injured_on), min(k.claimed_on)) AS lag_days,
    any_value(k.matched_by) AS matched_by,
    sum(k.repaid_cents) AS repaid_cents,
    100 * sum(k.repaid_cents) // sum(k.amount_cents) AS repaid_percent,
    date_diff('day', min(e.enrolled_on), min(e.recorded_on)) AS backdated_days,
    year(min(k.injured_on)) - any_value(s.birth_year) AS age_years,
    list_concat(
        list(DISTINCT 'insurance_enrolment/' || e.record_no),
        list(DISTINCT 'injury_claims/' || k.record_no)
    ) AS evidence
FROM injury_claims AS k
JOIN first_insured AS e
    ON e.person_id = k.person_id AND date_diff('day', e.enrolled_on, k.injured_on) BETWEEN 0 AND 10
JOIN persons AS s ON s.person_id = k.person_id
LEFT JOIN companies AS c ON c.company_id = k.company_id
GROUP BY k.person_id
