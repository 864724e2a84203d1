"""Coined terms and acronyms that a report leans on and nobody explains."""

from __future__ import annotations

import re
from collections.abc import Collection

_ACRONYM = re.compile(
    r"(?<![\w/&'-])[A-Z][A-Z0-9]{1,5}(?:-\d)?s?(?![\w/&]|-[a-z]*\b(?:ed|ing)\b)|"
    r"\b[A-Z]-(?=[a-z]{4})|\b[A-Z]\d\b"
)
# a capital in mid-sentence: behind a lower-case word, a number or a comma
_NAME = re.compile(
    r"(?<=[a-z0-9,;%)] )[A-Z][a-z]{2,}(?:'s)?\b(?: (?:[A-Z0-9]|"
    r"\d{1,2})\b(?![.,]\d|%))?"
)
_PERSON = re.compile(
    r"(?: (?:says?|said|asked?|told|tells|checked|thinks|wrote|owns|will|and I|has asked|"
    r"reports?|joined|"
    r"agreed|offered|leads?|ran|is on|picks? up|takes?)\b|'s team\b)"
)
# "competitor Ardent", "in Lagos": what a name stands for is said
_PLACED = re.compile(
    r"\b(?:competitors?|suppliers?|vendors?|agency|agencies|providers?|partners?|tools?|banks?|"
    r"carriers?|town|city|village|stores?|shops?|clients?|brand|chain|courier|platform|in|In|near|"
    r"across|outside|region|colleague|manager|Dr|Mr|Mrs|Ms|in [A-Z][a-z]+ and|In [A-Z][a-z]+ and|"
    r"(?:swapped|switched|replaced|migrated|moved|changed) (?:to|from|for|by|with))\.? "
    r"([A-Z][a-z]{2,})(?! \d)"
)
_NEXT = re.compile(r" ([a-z][a-z-]+)\b")
_FUNCTION = frozenset(
    "and or but for to in at on of from with by is was are were has had have does did do will "
    "would can "
    "could should may might must as than then that which who where when while if so not no only "
    "also "
    "again still now since until before after because without against per via took takes gave "
    "gives "
    "sent paid put let set cut went goes came come say says said mention mentions ask asks keep "
    "keeps "
    "allows needs wants".split()
)
# a product's own plan is no coined term: "the Lite plan"
_PLAN = re.compile(
    r"\b([A-Z][a-z]+) (?:partners?|marketplace|platform|portal|site|agency|store|shop|bank|group|"
    r"hotel|clinic|airport|station|supplier|plans?|"
    r"edition|subscri\w+|package|version|release|app|accounts? pay)\b"
)
# a step, tier or level of something that is named by a letter or number only
_GRADED = re.compile(
    r"\b(?i:tier|play|stage|band|ring|gate|class|lane|wall|track|loop|stream|pool)[ -](?:[A-Z]|"
    r"zero|\d)\b|\b[Tt]ier-\d\b"
)
# places, offices, tools and everyday business terms that no glossary needs to hold
COMMON = frozenset(
    re.findall(
        r"\S+",
        """
        A AB ABM AI API APAC APP APR AR ARM ASAP ATM AU AE AM B2B B2C BI BST BR CA CC CEO CET CFO
        CI CIO CM COO CPA CPC CPL CPM CPO CRM CS CSM CSS CSV CTA CTO CX DACH DE DIY DK DM DNS DSO
        EMEA EOD EOM EOQ EOY ES ESP ETA EU EUR FAQ FI FR FTE FW FX FY FYI GA GB GBP GDPR GMT GTM
        HQ HR HTML HTTP ICP ID IE IN IOS IP IT JP KPI KYC LATAM LOI LP M MENA ML MOM MOU MVP N NA
        NB NDA NL NO NOT NPV OK OKR OR OS P PC PDF PIN PL PM PMM PO POC PPC PR PRS PS PSP Q QA QOQ
        QR R RE REF RFP RFQ RND ROAS ROI RSVP SAML SAAS SCIM SD SDK SDR SE SEM SEO SEPA SERP SG
        SIM SKU SLA SMS SQL SSL SSO STD SUV TAM TBC TBD TLDR TM TO TV UAE UI UK UN URL US USA USD
        USP UTC UTM UX VAT VIP VP VPN VS W WC WIP WK WOW X XL YOY YTD ZIP AND BUT ALL ONE TWO NEW
        ABOVE BELOW AOV GMV RPM OTIF CES FCR AHT ADR EBIT EBITDA COGS ARPPU ARPDAU CLV CPV VTR SKU
        EAN SSR DPD KB MB GB TB MS AUD NOK SEK DKK CHF PLN CZK HUF JPY CNY INR BRL MXN ZAR SGD HKD
        NZD CAD TRY ANY BEFORE AFTER ONLY NONE BOTH EACH MORE LESS MUST CVR
        """,
    )
)
NAMES = frozenset(
    """
    north south east west central northern southern eastern western
    january february march april may june july august september october november december jan feb
    mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday
    sunday mon tue tues wed thu thur thurs fri sat sun easter christmas diwali ramadan
    thanksgiving halloween black cyber eid britain british england english ireland irish scotland
    wales france french paris lyon germany german berlin munich hamburg austria austrian vienna
    switzerland swiss zurich spain spanish madrid barcelona portugal portuguese lisbon iberia
    iberian italy italian milan rome netherlands dutch amsterdam belgium belgian benelux sweden
    swedish stockholm norway norwegian oslo denmark danish copenhagen finland finnish helsinki
    nordic nordics iceland baltics poland polish warsaw czech prague hungary romania greece turkey
    europe european africa african america american americas asia asian pacific oceania latin
    brazil brazilian mexico mexican argentina chile colombia peru canada canadian toronto india
    indian mumbai china chinese japan japanese tokyo korea korean singapore malaysia philippines
    indonesia thailand vietnam hong kong taiwan australia australian sydney zealand israel egypt
    nigeria kenya dubai london york chicago boston texas california android iphone ipad apple
    google chrome safari firefox windows linux microsoft outlook excel word teams slack zoom
    salesforce hubspot stripe paypal visa mastercard amazon facebook instagram meta linkedin
    tiktok youtube twitter whatsapp github jira notion zendesk intercom wifi internet web online
    email gmail covid euro euros dollar pound finance marketing sales product support legal
    engineering operations analytics customer growth success data design research security
    platform english bayes bonferroni wilson poisson yes and the this that these those there then
    they week
    """.split()
)


def unknown_terms(
    text: str, prose: str, known: Collection[str], exempt: str = "", *, least: int = 2
) -> list[str]:
    """Terms that the prose uses again and again, that nobody explained and no glossary holds.

    Parameters
    ----------
    text : str
        The whole report; a term explained anywhere in it ("... (VRI)" or "VRI (...)") is known.
    prose : str
        Analysis, action and recent changes: what the argument hangs on.
    known : collection of str
        The glossary's terms, lower-cased.
    exempt : str
        Names that the report itself sets, such as its metric and its context.
    least : int
        How often a term must be used: an argument that hangs on a term comes back to it.
    """
    own = set(re.findall(r"[a-z]+", exempt.lower())) | {w for term in known for w in term.split()}
    counts: dict[str, int] = {}
    for term in _mentioned(prose, own, known):
        counts[term] = counts.get(term, 0) + 1
    return sorted(t for t, n in counts.items() if n >= least and not _explained(t, text))


def _mentioned(prose: str, own: set[str], known: Collection[str]) -> list[str]:
    found: list[str] = []
    hinges: set[str] = set()
    plans = {m[1].lower() for m in _PLAN.finditer(prose)}
    plans |= {m[1].lower() for m in _PLACED.finditer(prose)}
    for match in _ACRONYM.finditer(prose):
        term = match[0].rstrip("s").rstrip("-") if len(match[0]) > 2 else match[0].rstrip("-")
        bare = term.rstrip("0123456789-")
        if not bare or bare in COMMON or term in COMMON:
            continue
        if term.lower() not in known and bare.lower() not in own and term.lower() not in own:
            found.append(term)
    for match in _NAME.finditer(prose):
        name = match[0].removesuffix("'s").split()[0]
        low = name.lower()
        if low in plans:
            continue
        if low in NAMES or low in own or low.rstrip("s") in own:
            continue
        if not _PERSON.match(prose, match.end()):
            found.append(name)
            hinges |= {name} if _hinges(prose, match) else set()
    # a name that nothing is called after is a supplier's, a place's or a person's
    found = [t for t in found if t in hinges or not t[1:].islower()]
    return found + [m[0].lower() for m in _GRADED.finditer(prose)]


def _hinges(prose: str, match: re.Match[str]) -> bool:
    """Whether something is called by a name: "the Corvid line", "Fennel 4", "a Lantern of 3"."""
    before = prose[max(0, match.start() - 14) : match.start()].lower()
    after = _NEXT.match(prose, match.end())
    if (
        match[0][-1].isdigit()
        or match[0][-2:-1] == " "
        or re.search(r"\b(?:the|a|an|whose|its) $", before)
    ):
        return True
    if after is None or after[1] in _FUNCTION or after[1].endswith("ed"):
        return False
    plural = after[1].endswith("s") and not after[1].endswith("ss")
    return not plural or bool(
        re.search(
            r"\b(?:to|of|for|on|all|from|below|above|under|with|by|no|into|outside) $", before
        )
    )


def _explained(term: str, text: str) -> bool:
    """Whether a bracket, or the words "short for" and the like, stand beside a term."""
    name = re.escape(term)
    return bool(
        re.search(
            rf"\b{name}s?['\"\u201d]?\s*\((?!\d|~|{name})[^)\d]{{6,}}|\({name}s?\)|"
            rf"\b{name}s?,? (?:i\.e\.|that is|meaning|"
            rf"short for|stands for|which is our|our name for)",
            text,
            re.IGNORECASE,
        )
    )
