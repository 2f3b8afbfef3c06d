/* ---
title: {zh: 罚款逾期未缴且未申请强制执行, en: Fine unpaid and not enforced within the legal term}
function: administrative
legal_ground: {zh: 《行政强制法》第五十三条, en: "Administrative Enforcement Law art. 53"}
ground: fine_unpaid
subject: company
severity: 2
spark: true
evidence: [penalties, fine_payments]
columns: [amount_cents, records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, matched_by, repaid_cents, repaid_percent]
--- */
-- Ninety days after the fine was due, less than all of it has been paid.
WITH due AS (
    SELECT * FROM penalties WHERE due_on + INTERVAL 90 DAY < $moment
),
paid AS (
    SELECT penalty_no, sum(amount_cents) AS cents, list('fine_payments/' || record_no) AS receipts
    FROM fine_payments
    GROUP BY penalty_no
)
SELECT
    f.company_id AS subject_id,
    f.penalty_no AS ground_key,
    c.county_id AS office_id,
    f.fine_cents AS amount_cents,
    1 AS records,
    f.agency_id AS body_id,
    c.legal_rep_id AS person_id,
    f.company_id,
    c.phone_id,
    s.family_id,
    c.address_id,
    date_diff('day', f.decided_on, f.reported_on) AS lag_days,
    f.matched_by,
    coalesce(p.cents, 0) AS repaid_cents,
    100 * coalesce(p.cents, 0) // f.fine_cents AS repaid_percent,
    list_concat(['penalties/' || f.record_no], coalesce(p.receipts, [])) AS evidence
FROM due AS f
JOIN companies AS c ON c.company_id = f.company_id
LEFT JOIN persons AS s ON s.person_id = c.legal_rep_id
LEFT JOIN paid AS p ON p.penalty_no = f.penalty_no
WHERE coalesce(p.cents, 0) < f.fine_cents
