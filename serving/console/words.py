"""The console's own words, in zh-CN and English (docs/words.md)."""

from __future__ import annotations

from collections.abc import Mapping

from base.bilingual import Language
from serving.console.words_of_command import WORDS as COMMAND
from serving.console.words_of_records import WORDS as RECORDS
from serving.console.words_of_scorers import WORDS as SCORERS

WORDS: dict[str, tuple[str, str]] = {
    "queue": ("线索队列", "Queue of clues"),
    "sign_in": ("登录", "Sign in"),
    "sign_out": ("退出", "Sign out"),
    "login": ("用户名", "Login"),
    "password": ("密码", "Password"),
    "by_key": ("用访问密钥登录", "Sign in with a key"),
    "key": ("访问密钥", "Key"),
    "wrong_key": (
        "用户名、密码或密钥无效，或因多次失败暂时锁定。请稍后再试，或联系管理员。",
        "Wrong, out of force, or locked for a while. Try later, or ask an administrator.",
    ),
    "account": ("我的账户", "My account"),
    "role": ("角色", "Role"),
    "holder": ("姓名", "Name"),
    "all_offices": ("全省各院", "every office"),
    "change_password": ("修改密码", "Change the password"),
    "old": ("现在的密码", "Your password now"),
    "new": ("新密码（至少 12 个字符）", "New password (12 characters or more)"),
    "save": ("保存", "Save"),
    "by_key_only": (
        "您以访问密钥登录，没有密码可改。",
        "You signed in with a key; there is no password to change.",
    ),
    "sign_in_again": (
        "修改后，所有设备上的登录都会失效，需用新密码重新登录。",
        "Whoever is signed in with the old one, on any device, must sign in again.",
    ),
    "rank": ("本院排序", "Rank"),
    "clue": ("线索", "Clue"),
    "supervision_model": ("监督模型", "Supervision model"),
    "office": ("院", "Office"),
    "raised": ("发现日期", "Raised"),
    "probability": ("成案概率", "Probability"),
    "within": ("本周", "this week"),
    "exploration": ("抽查", "drawn by lot"),
    "capacity": ("本周办案力量之内", "Within this week's capacity"),
    "of": ("件，排队线索共", "of"),
    "clues_wait": ("件", "clues that wait"),
    "next": ("下一页", "Next page"),
    "reasons": ("理由", "Reasons"),
    "why": ("说明", "Why"),
    "course": ("走势", "Course"),
    "by_group": ("按主题合计", "Summed by theme"),
    "masked": (
        "项依您的权限不显示，其作用计入其余各项。",
        "more are not shown to your role; they are in the others.",
    ),
    "band": ("所在档", "Band"),
    "times_base": ("倍于起点", "times the base"),
    "points": ("个百分点", "points"),
    "further": ("下一步核查建议与相似线索", "What to check next, and similar clues"),
    "next_checks": ("下一步核查建议", "What to check next"),
    "no_checks": (
        "没有值得再查的事项：可登记的均已登记，或查明后概率几乎不变。",
        "Nothing is worth looking up: what can be known is recorded, or would hardly matter.",
    ),
    "similar": ("相似线索", "Similar clues"),
    "no_similar": ("没有已办结的相似线索。", "No clue like this one has ended yet."),
    "likeness": ("相似度", "Likeness"),
    "end": ("结果", "What became of it"),
    "became_case": ("成案", "became a case"),
    "no_case": ("未成案", "no case"),
    "in_clue": ("该值见于线索本身。", "This value stands in the clue itself."),
    "counted": ("条记录", "records"),
    "hit": ("计入分子", "in the numerator"),
    "drawn": (
        "所示比例不是二者相除：记录少时，按更大范围的平均折算。",
        "The value is not their quotient: the fewer records, the nearer to a wider average.",
    ),
    "to_clue": ("返回线索", "Back to the clue"),
    "base": ("起点", "Base"),
    "others": ("其余各项合计", "All others together"),
    "waterfall_note": (
        "从起点（未看本线索任何事实时的概率）出发，逐条加减，到成案概率为止。点击理由可打开其依据记录。",
        "From the base to the probability, reason by reason. A reason opens its records.",
    ),
    "records": ("依据记录", "Records"),
    "record": ("记录编号", "Record"),
    "no_records": ("没有可打开的记录。", "No records to open."),
    "legal_ground": ("法律依据", "Legal ground"),
    "flags": ("输入提示", "Notes on the inputs"),
    "scorer": ("评分器", "Scorer"),
    "as_of": ("评分时点", "As of"),
    "subject": ("主体", "Subject"),
    "not_evidence": (
        "评分只用于安排核查先后，不是证据，不代表任何结论。",
        "A score orders the work. It is not evidence and concludes nothing.",
    ),
    "fictitious": (
        "模拟数据：人物、单位、事件均为虚构。",
        "Simulated data: persons, companies and events are fictitious.",
    ),
    "state": ("状态", "State"),
    "due": ("期限", "Due"),
    "overdue": ("超期", "overdue"),
    "function": ("检察职能", "Function"),
    "every": ("全部", "all"),
    "view": ("范围", "Show"),
    "filter": ("筛选", "Filter"),
    "waiting": ("待分派（按排序）", "waiting, ranked"),
    "in_hand": ("在办", "in hand"),
    "ended": ("已办结", "ended"),
    "line": ("本周办案力量到此为止", "This week's capacity ends here"),
    "floor": ("新模型保底", "new model's floor"),
    "lot_note": (
        "“抽查”与“新模型保底”的线索由抽签选出，与评分高低无关，用来检验评分是否准确。",
        "Clues drawn by lot (also a new model's floor) are chosen whatever their score, as a test.",
    ),
    "order_note": (
        "队列按评分（及紧急程度）排序；成案概率按各监督模型分别校准，相邻线索的概率可能高低互换。",
        "Ordered by score and urgency; probabilities, calibrated per model, may rise in between.",
    ),
    "none_here": ("没有符合条件的线索。", "No clue here."),
    "to_do": ("可办理事项", "What you may do"),
    "nothing_to_do": (
        "当前状态下，您的角色没有可办理的事项。",
        "Nothing for your role in this state.",
    ),
    "reason": ("原因说明", "Reason"),
    "optional": ("（可不填）", "(optional)"),
    "own_office": ("本院不变", "the same office"),
    "part": ("拆分出的第", "Part"),
    "part_end": ("条", ""),
    "split_note": (
        "每条须写明各自的依据；其余各项不填则与原线索相同。原线索就此办结，拆分出的线索另行评分、排队。",
        "Each part names what it is about; the rest, left blank, is as in this clue, which ends.",
    ),
    "split_from": ("拆分自", "Split from"),
    "split_parts": ("已拆分为", "Split into"),
    "done": ("已记录，线索现为：", "Recorded. The clue is now: "),
    "unfit": ("请检查以下各项：", "Please look at: "),
    "form": ("表单", "the form"),
    "stale": (
        "这条线索已有变动，未作任何记录。请看清现在的状态再办理。",
        "This clue has moved on meanwhile; nothing was recorded. Look at where it stands now.",
    ),
    "stale_form": (
        "此表单已失效，未作任何记录，请重新填写。",
        "This form is no longer in force; nothing was recorded. Fill it in again.",
    ),
    "history": ("办理经过", "History"),
    "decided": ("决定日期", "decided"),
    "reported": ("反馈日期", "reported"),
    "moved_nothing": ("迟到的反馈，线索状态未变", "came late: the clue stays where it is"),
    "when": ("时间", "When"),
    "what": ("事项", "What"),
    "who": ("经办", "By"),
    "platform": ("平台", "the platform"),
    "accept_until": ("受理期限", "Accept by"),
    "verify_until": ("核查期限", "Verify by"),
    "sheet": ("打印办理单", "Sheet to print"),
    "sheet_title": ("线索办理单", "Sheet of a clue"),
    "print_note": (
        "用浏览器的打印功能（Ctrl+P）打印或存为 PDF。",
        "Print it, or keep it as PDF, with the browser (Ctrl+P).",
    ),
    "signed": ("承办人签名", "Signed"),
    "date": ("日期", "Date"),
    "skip": ("跳到正文", "Skip to the page"),
    "of_the_clue": ("线索各栏", "The clue"),
    "unknown_query": (
        "地址中有本页不认识的参数。本页认识：",
        "The address has a parameter that this page does not know. It knows:",
    ),
    "refused": ("无法显示", "This cannot be shown"),
    "to_start": ("返回首页", "Back to the start"),
    "back": ("返回队列", "Back to the queue"),
}

STATES: dict[str, tuple[str, str]] = {
    "raised": ("已发现", "raised"),
    "scored": ("已评分", "scored"),
    "triaged": ("已研判", "triaged"),
    "dispatched": ("已分派", "dispatched"),
    "accepted": ("已受理", "accepted"),
    "verifying": ("核查中", "being verified"),
    "supplement": ("待补充", "supplement asked for"),
    "returned": ("已退回", "returned"),
    "merged": ("已合并", "merged"),
    "case_filed": ("已立案", "case filed"),
    "unfounded": ("查否", "unfounded"),
    "transferred": ("已移送", "transferred"),
    "withdrawn": ("已撤销", "withdrawn"),
    "case_withdrawn": ("立案已撤回", "case withdrawn"),
    "split": ("已拆分", "split"),
}
# What somebody does to bring a clue to a state.
MOVES: dict[str, tuple[str, str]] = {
    "triaged": ("研判通过", "Triage"),
    "dispatched": ("分派", "Dispatch"),
    "accepted": ("受理", "Accept"),
    "verifying": ("开始核查", "Verify"),
    "supplement": ("要求补充", "Ask for more"),
    "returned": ("退回", "Return"),
    "merged": ("并入其他线索", "Merge into another"),
    "case_filed": ("立案", "File a case"),
    "unfounded": ("查否", "Unfounded"),
    "transferred": ("移送", "Transfer"),
    "withdrawn": ("撤销线索", "Withdraw"),
    "case_withdrawn": ("撤回立案", "Withdraw the case"),
    "split": ("拆分为多条线索", "Split into several"),
}
FACTS: dict[str, tuple[str, str]] = {
    "case_number": ("案号", "Case number"),
    "filed_on": ("立案日期", "Filed on"),
    "authority": ("移送至", "To which authority"),
    "reply": ("对方答复", "Its reply"),
    "into": ("并入线索编号", "Number of the other clue"),
    "office_id": ("分派到", "To which office"),
    "parts": ("拆分出的线索", "Parts"),
    "ground_key": ("拆分依据（每条各不相同）", "What it is about (each its own)"),
    "subject_id": ("主体", "Subject"),
    "supervision_model": WORDS["supervision_model"],
    "evidence": WORDS["records"],
    "reason": WORDS["reason"],
}
ROLES: dict[str, tuple[str, str]] = {
    "case_system": ("案件系统", "case system"),
    "reviewer": ("办案人员", "reviewer"),
    "dispatcher": ("办案指挥中心", "command centre"),
    "data_scientist": ("数据科学家", "data scientist"),
    "steward": ("数据治理员", "data steward"),
    "administrator": ("管理员", "administrator"),
    "auditor": ("审计员", "auditor"),
}
FUNCTIONS: dict[str, tuple[str, str]] = {
    "criminal": ("刑事检察", "criminal"),
    "civil": ("民事检察", "civil"),
    "administrative": ("行政检察", "administrative"),
    "public_interest": ("公益诉讼检察", "public interest litigation"),
}


def in_language(pairs: Mapping[str, tuple[str, str]], language: Language) -> dict[str, str]:
    """One language of a table of words."""
    return {name: pair[0 if language == "zh" else 1] for name, pair in pairs.items()}


def words_of(language: Language) -> dict[str, str]:
    """Every word in one language."""
    return in_language({**WORDS, **COMMAND, **RECORDS, **SCORERS}, language)
