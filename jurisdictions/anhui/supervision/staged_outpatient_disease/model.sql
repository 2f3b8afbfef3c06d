/* ---
title: {zh: 虚构门诊特殊病待遇, en: Special outpatient entitlement without the history it needs}
function: public_interest
legal_ground: {zh: 《医疗保障基金使用监督管理条例》第四十一条, en: "Regulation on the Use of Medical Security Funds art. 41"}
ground: outpatient_entitlement
subject: person
severity: 3
spark: true
evidence: [medical_settlements]
columns: [amount_cents, records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, gap_days, matched_by, repaid_cents, repaid_percent, age_years]
--- */
-- Three visits or more for a special disease, and never a day in hospital.
WITH found AS (
    SELECT
        m.person_id AS subject_id,
        sum(m.amount_cents) FILTER (m.amount_cents > 0) AS amount_cents,
        count(*) FILTER (m.amount_cents > 0) AS records,
        coalesce(-sum(m.amount_cents) FILTER (m.amount_cents < 0), 0) AS repaid_cents,
        min(m.settled_on) AS first_on,
        max(m.settled_on) AS last_on,
        max(m.recorded_on) AS recorded_on,
        any_value(m.hospital_id) AS body_id,
        any_value(m.matched_by) AS matched_by,
        list('medical_settlements/' || m.record_no) AS settlements
    FROM medical_settlements AS m
    WHERE m.kind = 'special_outpatient'
    GROUP BY m.person_id
    HAVING count(*) FILTER (m.amount_cents > 0) >= 3
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
    date_diff('day', f.last_on, f.recorded_on) AS lag_days,
    date_diff('day', f.first_on, f.last_on) AS gap_days,
    f.matched_by,
    f.repaid_cents,
    100 * f.repaid_cents // f.amount_cents AS repaid_percent,
    year(f.last_on) - s.birth_year AS age_years,
    f.settlements AS evidence
FROM found AS f
JOIN persons AS s ON s.person_id = f.subject_id
LEFT JOIN companies AS c ON c.company_id = s.company_id
WHERE NOT EXISTS (
    SELECT 1 FROM medical_settlements AS h
    WHERE h.person_id = f.subject_id AND h.kind = 'inpatient'
)
