/* ---
title: {zh: 医保与第三方重复赔付, en: Medical insurance and a third party paid for the same injury}
function: public_interest
legal_ground: {zh: 《社会保险法》第三十条, en: "Social Insurance Law art. 30"}
ground: double_compensation
subject: person
severity: 3
spark: true
evidence: [medical_settlements, court_judgments]
columns: [amount_cents, records, body_id, lawyer_id, person_id, company_id, phone_id, family_id, address_id, lag_days, gap_days, matched_by, repaid_cents, repaid_percent, age_years]
--- */
-- Insurance settled an injury, and half a year later at most a court awarded damages for it.
WITH awarded AS (
    SELECT
        plaintiff_id AS person_id,
        max(judged_on) AS judged_on,
        max(published_on) AS published_on,
        any_value(lawyer_id) AS lawyer_id,
        any_value(matched_by) AS matched_by,
        list('court_judgments/' || record_no) AS records
    FROM court_judgments
    WHERE cause = 'injury_compensation'
    GROUP BY plaintiff_id
),
found AS (
    SELECT
        m.person_id AS subject_id,
        sum(m.amount_cents) FILTER (m.amount_cents > 0) AS amount_cents,
        count(*) FILTER (m.amount_cents > 0) AS records,
        coalesce(-sum(m.amount_cents) FILTER (m.amount_cents < 0), 0) AS repaid_cents,
        max(m.settled_on) AS settled_on,
        any_value(m.hospital_id) AS body_id,
        list('medical_settlements/' || m.record_no) AS settlements
    FROM medical_settlements AS m
    JOIN awarded AS a
        ON a.person_id = m.person_id
        AND m.settled_on BETWEEN a.judged_on - INTERVAL 180 DAY AND a.judged_on
    WHERE m.kind = 'injury'
    GROUP BY m.person_id
    HAVING count(*) FILTER (m.amount_cents > 0) > 0
)
SELECT
    f.subject_id,
    '-' AS ground_key,
    s.county_id AS office_id,
    f.amount_cents,
    f.records,
    f.body_id,
    a.lawyer_id,
    s.person_id,
    s.company_id,
    s.phone_id,
    s.family_id,
    c.address_id,
    date_diff('day', a.judged_on, a.published_on) AS lag_days,
    date_diff('day', f.settled_on, a.judged_on) AS gap_days,
    a.matched_by,
    f.repaid_cents,
    100 * f.repaid_cents // f.amount_cents AS repaid_percent,
    year(a.judged_on) - s.birth_year AS age_years,
    list_concat(f.settlements, a.records) AS evidence
FROM found AS f
JOIN awarded AS a ON a.person_id = f.subject_id
JOIN persons AS s ON s.person_id = f.subject_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
