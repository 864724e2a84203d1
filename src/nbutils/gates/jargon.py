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
    r"(?<=[a-z0-9,;%)] )[A-Z][a-z]{2,}(?:'s)?\b(?: (?:[A-Z0-9]|\d{1,2})\b(?![.,]\d|%))?"
)
_PERSON = re.compile(
    r"(?: (?:says?|said|asked?|told|tells|checked|thinks|wrote|owns|will|and I|has asked|"
    r"reports?|joined|agreed|offered|leads?|ran|is on|picks? up|takes?)\b|'s team\b)"
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
        A AB ABM ABN ABOVE ACH ADR AE AFTER AHT AI ALL AM AND ANY AOV APAC API APP APR AR ARM
        ARPDAU ARPPU ASAP ATM AU AUD AWS B2B B2C BACS BBC BEFORE BELOW BI BIC BOTH BR BRL BST BTW
        BUT CA CAD CAGR CC CCPA CD CDN CEO CES CET CFO CHF CI CIF CIO CLV CM CNPJ CNY COGS COO CPA
        CPC CPF CPL CPM CPO CPV CRM CS CSM CSS CSV CTA CTO CVR CX CZK DACH DE DHL DIY DK DKIM DKK
        DM DMARC DNS DPD DSAR DSO DUNS EACH EAN EBAY EBIT EBITDA EIN EMEA EOD EOM EOQ EOY ES ESP
        ETA EU EUR FAQ FCR FI FR FTE FW FX FY FYI GA GAAP GB GBP GCP GDPR GLS GMT GMV GPS GST
        GSTIN GTM HKD HMRC HP HQ HR HSBC HST HTML HTTP HUF IBAN IBM ICO ICP ID IE IFRS IN INR
        INSEE IOS IP IRS ISO IT IVA IVR JP JPY JWT KB KPI KVK KYC LATAM LEI LESS LG LOI LP LTE M
        MB MENA ML MOM MORE MOU MS MUST MVP MXN N NA NB NDA NEW NFC NGO NHS NIF NL NO NOK NONE NOT
        NPL NPV NZD OAUTH OIB OK OKR ONE ONLY OR OS OTIF P PAN PC PCI PDF PESEL PIN PL PLN PM PMM
        PO POC PPC PR PRS PS PSP PTO Q QA QOQ QR R RE REF RFC RFID RFP RFQ RND ROAS ROI RPM RSVP
        SAAS SAML SAP SCIM SD SDK SDR SE SEK SEM SEO SEPA SERP SFTP SG SGD SIM SIREN SIRET SKU SLA
        SLO SMS SNCF SOC SPF SQL SRE SSL SSO SSR STD SUV TAM TB TBC TBD TIN TLDR TM TO TRY TTFV TV
        TVA TWO UAE UI UID UK UN UPS URL US USA USD USP UTC UTM UX VAT VIP VP VPN VS VTR W WC WFH
        WIP WK WOW X XL YOY YTD YTM ZAR ZIP
        """,
    )
)
NAMES = frozenset(
    """
    aarhus aberdeen abuja accra adelaide adyen africa african airbnb aires airtable aldi amazon
    america american americas amplitude amsterdam amtrak analytics and android angeles ankara
    antwerp apollo apple apr april argentina asana asia asian athens atlanta auckland aug august
    austin australia australian austria austrian auth0 aws azure baltics baltimore bangalore
    bangkok barcelona barclays basel bayes beijing belfast belgian belgium belgrade benelux
    bengaluru bergen berlin bern bilbao bing birmingham bitbucket black bogota bologna bonferroni
    booking bordeaux boston braga braintree brasilia brazil brazilian bremen brisbane bristol
    britain british brno bruges bucharest budapest buenos busan cairo calendly calgary california
    cambridge canada canadian capterra caracas cardiff casablanca central chennai chicago chile
    china chinese christchurch christmas chrome clearbit cloudflare cologne colombia copenhagen
    cork costco covid customer cyber czech dallas danish data datadog datev dec december deel
    delhi dell denmark denver design detroit dhl diego diwali docusign doha dollar dortmund
    dresden drift dropbox dubai dublin durban dutch east easter eastern edge edinburgh egypt eid
    eindhoven elster email engineering england english espoo essen euro europe european euros
    excel expedia facebook feb february fedex figma finance finland finnish firefox florence
    france francisco frankfurt french freshdesk fri friday galway gartner gdansk geneva genoa
    german germany ghent github gitlab glasgow gls gmail gong google gothenburg grafana graz
    greece greenhouse growth guadalajara guangzhou gusto halloween hamburg hanoi hanover havana
    helsinki heroku hong hotjar houston hsbc huawei hubspot hungary hyderabad iberia iberian
    iceland ikea india indian indonesia instagram intel intercom internet ipad iphone ireland
    irish israel istanbul italian italy jakarta jan january japan japanese jira johannesburg jul
    july jun june kenya klarna kolkata kong korea korean krakow kuala kyiv kyoto lagos latin
    lausanne leeds legal leicester leipzig lenovo lidl lille lima linkedin linux linz lisbon
    liverpool lloyds london looker lumpur luxembourg lyft lyon madrid magento mail mailchimp make
    malaga malaysia malmo manchester manila mar march marketing marketo marseille mastercard may
    medellin melbourne meta mexican mexico miami microsoft milan minneapolis miro mixpanel mon
    monday monterrey montevideo montreal monzo moscow mumbai munich nagoya nairobi nantes naples
    nashville natwest netflix netherlands netsuite newcastle nice nielsen nigeria nokia nordic
    nordics north northern norway norwegian notion nottingham nov november nuremberg oceania oct
    october odense okta online opera operations optimizely oracle orlando osaka oslo ostrava
    ottawa outlook outreach oxford pacific pagerduty palermo panama pardot paris paulo paypal
    personio perth peru philadelphia philippines phoenix pinterest plaid platform poisson poland
    polish portland porto portugal portuguese pound poznan prague product pune qualtrics
    quickbooks quito quora ramadan reddit rennes research revolut reykjavik riga rio riyadh
    romania rome rotterdam royal safari sage saigon sales salesforce salzburg samsung santander
    santiago sap sat saturday scotland seattle security segment sendgrid sentry sep sept september
    seville shanghai sheffield shenzhen shopify singapore slack snapchat sncf snowflake sofia sony
    south southampton southern spain spanish spotify starling stockholm strasbourg stripe
    stuttgart success sun sunday support surveymonkey sweden swedish swift swiss switzerland
    sydney tableau taiwan tallinn tampere teams tesco texas thailand thanksgiving that the then
    there these they this those thu thur thurs thursday tiktok tokyo toronto toulouse trello
    trondheim truelayer trustpilot tue tues tuesday turin turkey turku twilio twitter typeform
    typo uber uppsala ups utrecht valencia vancouver vegas venice vercel vienna vietnam vilnius
    visa wales walmart warsaw washington web wed wednesday week wellington west western whatsapp
    wifi wilson windows wise woocommerce word workday wroclaw xero yahoo yes york youtube zagreb
    zapier zaragoza zealand zendesk zoom zurich
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
        Names that the report itself sets, as `own_names` gives them.
    least : int
        How often a term must be used: an argument that hangs on a term comes back to it.
    """
    own = set(re.findall(r"[a-z]+", exempt.lower())) | {w for term in known for w in term.split()}
    counts: dict[str, int] = {}
    for term in _mentioned(prose, own, known):
        counts[term] = counts.get(term, 0) + 1
    return sorted(t for t, n in counts.items() if n >= least and not _explained(t, text))


def own_names(metric: str, definition: str, context: str) -> str:
    """Names that a report itself sets, by its metric and its context.

    A metric that is only an abbreviation explains nothing by its own name.
    """
    bare = not definition and re.fullmatch(r"[A-Z\d-]+( \w+)?", metric)
    return f"{'' if bare else metric} {definition} {context}"


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
