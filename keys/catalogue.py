"""What people read, in English and Chinese, from one place.

``TEXTS`` maps a stable code to a pair (English, Chinese).  A text may name details in braces,
``{like_this}``; whoever raises the code gives them.  Codes are kebab-case and are never reused
for another meaning.  A test holds the catalogue against the codes that the source raises.
"""

LANGUAGES = ("en", "zh")

TEXTS: dict[str, tuple[str, str]] = {
    # --- strict parsing (keys/strict.py) ---
    "json-invalid": ("The JSON cannot be read: {reason}.", "JSON 无法读取：{reason}。"),
    "json-duplicate-key": ("The JSON names the key {key!r} twice.", "JSON 中键 {key!r} 重复出现。"),
    "json-float": (
        "The JSON holds the number {value}, which is not an integer; write decimals as text.",
        "JSON 中的数 {value} 不是整数；小数请写成文本。",
    ),
    "json-integer-range": (
        "The JSON holds an integer outside -2^63 to 2^63 - 1.",
        "JSON 中的整数超出 -2^63 至 2^63 - 1 的范围。",
    ),
    "json-depth": ("The JSON is nested deeper than {limit} levels.", "JSON 嵌套超过 {limit} 层。"),
    "json-size": ("The JSON is longer than {limit} bytes.", "JSON 超过 {limit} 字节。"),
    "text-not-nfc": (
        "The text is not in Unicode normal form C.",
        "文本不是 Unicode 规范形式 C（NFC）。",
    ),
    "text-not-utf8": ("The text is not UTF-8.", "文本不是 UTF-8 编码。"),
    "base64-not-canonical": (
        "The base64 is not in its one canonical form.",
        "base64 不是唯一规范形式。",
    ),
    "hex-not-canonical": (
        "The hexadecimal text is not {size} bytes in lower case.",
        "十六进制文本不是 {size} 字节的小写形式。",
    ),
    "decimal-not-canonical": (
        "The decimal {value!r} is not in its one canonical form.",
        "小数 {value!r} 不是唯一规范形式。",
    ),
    "date-invalid": (
        "{value!r} is not a date of the form 2026-01-31 between 1970 and 2149.",
        "{value!r} 不是 1970 至 2149 年间形如 2026-01-31 的日期。",
    ),
    "field-missing": ("{where} lacks the field {field!r}.", "{where} 缺少字段 {field!r}。"),
    "field-unknown": (
        "{where} has the field {field!r}, which is not known.",
        "{where} 含有未知字段 {field!r}。",
    ),
    "field-type": (
        "In {where}, the field {field!r} must be {expected}.",
        "{where} 的字段 {field!r} 必须是 {expected}。",
    ),
    "cbor-not-canonical": (
        "The CBOR is not in its one deterministic form.",
        "CBOR 不是唯一的确定性编码。",
    ),
    # --- signatures and keys (keys/) ---
    "suite-unknown": (
        "The signature suite {suite} is not known here.",
        "此处不认识签名套件 {suite}。",
    ),
    "suite-taken": (
        "The signature suite {suite} uses a name or a number of the suite {other}.",
        "签名套件 {suite} 的名称或编号已被套件 {other} 占用。",
    ),
    "key-invalid": (
        "The public key is not sound: it has the wrong length, is not in its one encoding, is no "
        "point of the curve, or is one of the weak points of small order.",
        "公钥不合格：长度不符、不是唯一规范编码、不在曲线上，或属于小阶弱点。",
    ),
    "key-file-exists": (
        "{path} exists already; a key file is never overwritten. Choose another name.",
        "{path} 已存在；密钥文件绝不覆盖，请另选文件名。",
    ),
    "key-file-unwritable": (
        "The key file {path} cannot be written: {reason}.",
        "密钥文件 {path} 无法写入：{reason}。",
    ),
    "key-file-unreadable": (
        "{path} cannot be read as an encrypted private key: {reason}.",
        "无法将 {path} 读作加密私钥：{reason}。",
    ),
    "key-passphrase-wrong": (
        "The passphrase does not open the key file {path}.",
        "口令无法打开密钥文件 {path}。",
    ),
    "key-passphrase-empty": (
        "A key file needs a passphrase; give one that is not empty.",
        "密钥文件必须有口令，请输入非空口令。",
    ),
    "statement-size": (
        "The signed statement is longer than {limit} bytes.",
        "签名声明超过 {limit} 字节。",
    ),
    "statement-malformed": (
        "The signed statement is not in its one form; this part is wrong: {reason}.",
        "签名声明不是唯一规范形式，有误的部分：{reason}。",
    ),
    "vkey-malformed": (
        "The verifier key is not of the form name+key id+base64, or its key id is wrong.",
        "验证公钥不是“名称+密钥标识+base64”的形式，或密钥标识不符。",
    ),
    "note-key-name": (
        "{name!r} cannot name a key: it must not be empty or hold spaces, control characters or +.",
        "{name!r} 不能作为密钥名称：不得为空，也不得含空格、控制字符或加号。",
    ),
    "note-malformed": (
        "The signed note is not in its one form; this part is wrong: {reason}.",
        "签名便笺不是唯一规范形式，有误的部分：{reason}。",
    ),
    "note-size": ("The signed note is longer than {limit} bytes.", "签名便笺超过 {limit} 字节。"),
    "note-signatures": (
        "The signed note does not have between 1 and {limit} signatures.",
        "签名便笺的签名数不在 1 至 {limit} 之间。",
    ),
    "note-signature-invalid": (
        "The signature under the name {name} does not belong to this text and this key.",
        "以 {name} 之名的签名与该文本和密钥不符。",
    ),
    "checkpoint-malformed": (
        "The checkpoint is not in its one form; this part is wrong: {reason}.",
        "检查点不是唯一规范形式，有误的部分：{reason}。",
    ),
    "participant-id-invalid": (
        "{participant!r} cannot be a participant's id: use 1 to 64 of a-z and 0-9, with single "
        "hyphens or dots between.",
        "{participant!r} 不能作为参与方标识：须为 1 至 64 个 a-z、0-9 字符，"
        "中间可用单个连字符或点。",
    ),
    "participant-spans-broken": (
        "The validity spans of the participant {participant} are out of order.",
        "参与方 {participant} 的有效区间次序错乱。",
    ),
    "key-used-before": (
        "The participant {participant} had this key before; make a new one.",
        "参与方 {participant} 曾用过该密钥，请生成新密钥。",
    ),
    "key-still-valid": (
        "The last key of the participant {participant} is valid up to log index {end}; the next "
        "can begin there and no earlier.",
        "参与方 {participant} 的上一密钥有效至日志序号 {end}，新密钥不得早于此生效。",
    ),
    "key-end-refused": (
        "The key of the participant {participant} cannot end at log index {at}: only a key without "
        "an end can be ended, after it began, and not before index {not_before}.",
        "参与方 {participant} 的密钥不能在日志序号 {at} 处终止：只有尚无终点的密钥可以终止，"
        "且须在其生效之后、不早于序号 {not_before}。",
    ),
    "role-still-valid": (
        "The participant {participant} has the role {role} up to log index {end}; a new grant can "
        "begin there and no earlier.",
        "参与方 {participant} 的角色 {role} 有效至日志序号 {end}，再次授予不得早于此生效。",
    ),
    "role-end-refused": (
        "The role {role} of the participant {participant} cannot end at log index {at}: only a "
        "grant without an end can be ended, after it began, and not before index {not_before}.",
        "参与方 {participant} 的角色 {role} 不能在日志序号 {at} 处终止："
        "只有尚无终点的授予可以终止，且须在其生效之后、不早于序号 {not_before}。",
    ),
    "pseudonym-secret-short": (
        "The secret for pseudonyms must have at least {limit} bytes.",
        "生成假名的密钥至少须有 {limit} 字节。",
    ),
    # --- the log (chain/merkle.py, chain/tiles.py, chain/receipts.py) ---
    "inclusion-invalid": (
        "The inclusion proof does not show this entry at this place in this log.",
        "包含证明未能证明该条目位于此日志的这一位置。",
    ),
    "consistency-invalid": (
        "The consistency proof does not show that the later log begins with the earlier one.",
        "一致性证明未能证明较新的日志以较早的日志开头。",
    ),
    "frontier-malformed": (
        "The stored edge of the tree does not have the length that its size asks for.",
        "保存的树前沿长度与其树大小不符。",
    ),
    "leaf-not-in-tree": (
        "A tree of {size} entries has no entry {index}; the first is entry 0.",
        "共有 {size} 个条目的树没有第 {index} 号条目；编号从 0 开始。",
    ),
    "sizes-out-of-order": (
        "{size1} to {size2} is not a range: the first must not be negative nor exceed the second.",
        "{size1} 至 {size2} 不是有效范围：前者不能为负，也不能大于后者。",
    ),
    "tree-size-not-published": (
        "The log has published {log_size} entries, so there is no tree of {size} entries.",
        "日志已发布 {log_size} 个条目，因此不存在大小为 {size} 的树。",
    ),
    "tile-path-malformed": ("{path!r} is not the path of a tile.", "{path!r} 不是瓦片文件的路径。"),
    "tile-missing": (
        "The tile {path} cannot be read from the log's files.",
        "无法从日志文件中读取瓦片 {path}。",
    ),
    "tile-malformed": (
        "The tile {path} does not hold as much as its name says.",
        "瓦片 {path} 的内容与其名称所示的数量不符。",
    ),
    "entries-malformed": (
        "The bundle of entries breaks off in the middle of an entry.",
        "条目包在某个条目中间中断。",
    ),
    "entry-too-long": (
        "The entry has {size} bytes; the log takes at most {limit}.",
        "条目有 {size} 字节；日志最多接受 {limit} 字节。",
    ),
    "receipt-malformed": (
        "This is not a receipt by the log {origin} under the given key, in its one encoding.",
        "这不是日志 {origin} 用给定密钥签发、采用唯一编码的回执。",
    ),
    "receipt-unsigned": (
        "The log {origin} has not signed a tree that holds this entry where the receipt says.",
        "日志 {origin} 没有为在回执所述位置含有该条目的树签名。",
    ),
    # --- spans, the register and its proofs ---
    # --- classes, methodologies, activities, reductions ---
    # --- statements, rules, sequencing ---
    # --- bundles, policies, verdicts (verifier/) ---
    # --- commands (api/) ---
}


def text(code: str, lang: str = "en", /, **details: object) -> str:
    """The text of ``code`` in ``lang``, with its details filled in; an unknown code as it is."""
    texts = TEXTS.get(code)
    if texts is None:
        return code
    try:
        return texts[LANGUAGES.index(lang)].format(**details)
    except (KeyError, IndexError, ValueError):
        return texts[LANGUAGES.index(lang) if lang in LANGUAGES else 0]
