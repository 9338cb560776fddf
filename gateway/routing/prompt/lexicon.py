"""Cue words that show what a prompt asks for, in the most frequent languages of clients."""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Cue -> lower-case words. Repeated words count once.
WORDS: Mapping[str, frozenset[str]] = {
    "greeting": _words(
        "hello hi hey thanks thank bye goodbye morning evening ok okay welcome cheers please yes no nice great cool "
        "hallo danke tschüss bonjour merci salut hola gracias adiós ciao grazie olá obrigado obrigada привет спасибо"
    ),
    "ask": _words(
        "who whom whose when where which what how wer wann wo wohin welche welcher was qui quand où quel quelle quoi "
        "quién cuándo dónde cuál qué chi quando dove quale quem onde qual wie waar wanneer кто когда где что какой"
    ),
    "explain": _words(
        "explain explains explaining explanation describe describing how why understand meaning means mean difference "
        "differences compare comparison works overview introduction intuition teach elaborate clarify concept wie funktioniert fonctionne funciona funziona работает "
        "erkläre erklären erklär beschreibe warum wieso unterschied expliquer explique expliquez décris pourquoi comment différence "
        "explica explicar explícame describe describir cómo porqué diferencia spiega spiegami perché come differenza "
        "explique descreva porque diferença uitleggen verklaar waarom hoe verschil объясни объясните почему как разница"
    ),
    "deep": _words(
        "analyze analyse analyzes analyzing analysing analysis analytical architecture architectural architect tradeoff tradeoffs trade-off "
        "trade-offs evaluate evaluating evaluation critique critically assess assessment justify optimize optimise "
        "optimization optimisation design designing prove proof derive derivation theorem rigorous rigorously strategy strategic "
        "synthesize formalize investigate diagnose implications scalability scalable distributed concurrency consensus "
        "refactor migrate migration reconcile hypothesis comprehensive thorough thoroughly nuanced counterexample "
        "analysiere analysieren bewerte beurteile entwirf beweise optimiere architektur "
        "analyser analysez évalue évaluer concevoir démontre démontrer prouve optimiser stratégie "
        "analiza analizar evalúa evaluar diseña diseñar demuestra demostrar optimiza arquitectura estrategia "
        "analizza valuta progetta dimostra ottimizza architettura analise avalie projete demonstre otimize "
        "analyseer beoordeel ontwerp bewijs проанализируй проанализируйте оцени докажи спроектируй оптимизируй"
    ),
    "logic": _words(
        "if then unless except therefore hence because whereas although however assuming given suppose such each every "
        "must should cannot either neither both only least most exactly requirement requirements constraint constraints ensure "
        "wenn falls jedoch obwohl muss jede jeder si alors cependant chaque doit aunque entonces cada debe если каждый должен"
    ),
    "code": _words(
        "code coding program programming python javascript typescript java rust golang kotlin swift php ruby bash "
        "html css react django flask api endpoint function functions method class classes variable array loop recursion regex "
        "compile compiler bug bugs debug debugging exception traceback stacktrace script refactor unittest pytest git docker "
        "kubernetes algorithm algorithms json yaml async thread mutex pointer leetcode snippet repository cli sdk null undefined "
        "def return import async await const var elif int str bool struct enum lambda assertion "
        "programm funktion quellcode code programme fonction código función funzione codice função код функция программа"
    ),
    "math": _words(
        "calculate compute solve equation equations sum product integral derivative probability percent percentage fraction "
        "triangle circle radius perimeter polynomial matrix vector prime divisible divisor integer integers modulo root roots "
        "sqrt frac theorem proof prove algebra geometry calculus arithmetic ratio average mean median equals twice half remaining "
        "total altogether cos sin tan log angle area volume digits digit factorial binomial remainder per many much "
        "berechne gleichung wahrscheinlichkeit calcule équation probabilité calcula ecuación probabilidad calcola equazione "
        "calcular equação вычисли уравнение вероятность сколько"
    ),
    "tool": _words(
        "tool tools search browse fetch book schedule order send email weather forecast calendar reminder remind notify "
        "invoke execute run deploy open click navigate lookup retrieve upload download install playlist flight hotel reservation stock"
    ),
    "extract": _words(
        "extract extracts extraction identify classify classification categorize label tag parse entities sentiment detect "
        "list names fields keywords named mentioned passage following text true false according "
        "extrahiere klassifiziere extraire extrais classe extrae clasifica estrai classifica extraia извлеки классифицируй"
    ),
    "translate": _words(
        "translate translates translated translation translating übersetze übersetzen übersetzung traduis traduire traduisez "
        "traduction traduce traducir traduzca traducción traduci tradurre traduza traduzir tradução vertaal vertalen переведи "
        "перевод переведите"
    ),
    "summary": _words(
        "summarize summarise summary summaries tldr tl;dr condense shorten recap abstract digest gist brief "
        "zusammenfassen zusammenfassung fasse résume résumer résumé resume resumir resumen riassumi riassunto resuma "
        "samenvatting кратко резюмируй"
    ),
    "create": _words(
        "story poem song lyrics haiku essay blog slogan joke novel character plot dialogue "
        "scene imagine fiction tagline tweet post caption fairy screenplay headline brainstorm ideas letter speech "
        "gedicht geschichte poème histoire poema historia cuento poesia storia conto verhaal стих стихотворение рассказ"
    ),
    "make": _words(
        "write draft compose create generate produce make build implement schreibe schreib erstelle écris écrire rédige "
        "escribe escribir crea genera scrivi escreva crie schrijf maak напиши создай"
    ),
    "rewrite": _words(
        "rewrite rephrase paraphrase proofread grammar spelling correct edit polish reword improve tone formal concise "
        "korrigiere verbessere umformulieren corrige corriger reformule reformuler corrige mejora correggi riscrivi corrija перепиши исправь"
    ),
    "data": _words(
        "sql query table tables column columns row rows csv dataset database spreadsheet excel pandas dataframe select join "
        "groupby aggregate postgres mysql sqlite chart plot histogram pivot schema warehouse etl"
    ),
    "plan": _words(
        "plan planning roadmap itinerary schedule recommend recommendation recommendations suggest advice should tips "
        "best options decide choose help plane empfehle planifie recommande planifica recomienda consiglia recomende посоветуй"
    ),
}

# Word -> its cues.
CUES_BY_WORD: Mapping[str, tuple[str, ...]] = {
    word: tuple(cue for cue, words in WORDS.items() if word in words) for word in frozenset().union(*WORDS.values())
}

# Substrings instead of words, for scripts without spaces between words and for inflected languages.
SUBSTRINGS: Mapping[str, tuple[str, ...]] = {
    "greeting": (
        "你好",
        "您好",
        "谢谢",
        "こんにちは",
        "ありがとう",
        "안녕",
        "감사",
        "مرحبا",
        "شكرا",
        "नमस्ते",
        "धन्यवाद",
        "สวัสดี",
    ),
    "explain": (
        "解释",
        "解釋",
        "说明",
        "為什麼",
        "为什么",
        "如何",
        "怎么",
        "説明",
        "なぜ",
        "どのように",
        "違い",
        "설명",
        "왜",
        "어떻게",
        "اشرح",
        "لماذا",
        "كيف",
        "समझा",
        "क्यों",
        "कैसे",
        "อธิบาย",
        "ทำไม",
    ),
    "deep": (
        "分析",
        "评估",
        "評価",
        "权衡",
        "架构",
        "设计",
        "設計",
        "证明",
        "証明",
        "优化",
        "最適化",
        "策略",
        "분석",
        "설계",
        "증명",
        "최적화",
        "평가",
        "حلل",
        "تحليل",
        "صمم",
        "أثبت",
        "विश्लेषण",
        "मूल्यांकन",
        "วิเคราะห์",
    ),
    "code": ("代码", "函数", "编程", "コード", "関数", "코드", "함수", "كود", "برنامج", "कोड", "โค้ด"),
    "math": (
        "计算",
        "方程",
        "概率",
        "計算",
        "方程式",
        "確率",
        "계산",
        "방정식",
        "확률",
        "احسب",
        "معادلة",
        "गणना",
        "समीकरण",
        "คำนวณ",
    ),
    "extract": ("提取", "分类", "抽出", "分類", "추출", "분류", "استخرج", "صنف", "निकाल"),
    "translate": ("翻译", "翻譯", "訳して", "翻訳", "번역", "ترجم", "अनुवाद", "แปล"),
    "summary": ("总结", "概括", "摘要", "要約", "まとめ", "요약", "لخص", "सारांश", "สรุป"),
    "create": ("故事", "诗", "物語", "이야기", "قصة", "कहानी", "นิทาน"),
    "make": ("写", "生成", "書いて", "作って", "써줘", "작성", "만들어", "اكتب", "أنشئ", "लिखो", "लिखें", "เขียน"),
    "rewrite": ("改写", "润色", "修正", "校正", "교정", "고쳐", "أعد صياغة"),
    "data": ("数据库", "表格", "データベース", "데이터베이스", "قاعدة بيانات"),
}
