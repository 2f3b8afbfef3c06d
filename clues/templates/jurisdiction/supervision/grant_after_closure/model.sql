/* ---
title: {zh: 企业注销后仍领取补贴, en: Grant paid to a company after it was struck off}
function: public_interest
legal_ground: {zh: 《财政违法行为处罚处分条例》, en: Regulation on Penalties for Fiscal Violations}
ground: grant_after_closure
subject: company
severity: 3
evidence: [closures, grants]
columns: [amount_cents, agency_id, records]
--- */
-- Grants dated after the day the company was struck off, together one clue.
SELECT
    g.company_id AS subject_id,
    '-' AS ground_key,
    any_value(g.office_id) AS office_id,
    sum(g.amount_cents) AS amount_cents,
    any_value(g.agency_id) AS agency_id,
    count(*) AS records,
    list_concat(list(DISTINCT 'closures/' || c.record_no), list('grants/' || g.record_no)) AS evidence
FROM grants AS g
JOIN closures AS c ON c.company_id = g.company_id AND g.paid_on > c.closed_on
GROUP BY g.company_id
