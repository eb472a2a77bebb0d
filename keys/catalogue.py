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
    "check-form": (
        "The file is a bundle in its one form.",
        "文件是格式唯一的证明包。",
    ),
    "check-checkpoint": (
        "The log {origin} has signed this checkpoint, of {size} entries; the policy trusts its "
        "key.",
        "日志 {origin} 已签署此检查点（共 {size} 条），其密钥为策略所信任。",
    ),
    "check-genesis": (
        "The ledger is the one that its first entry founded: {id}.",
        "账本由其首条记录创立：{id}。",
    ),
    "check-seal": (
        "The checkpoint ends with the seal of block {height}, of {time}: it names the root of the "
        "register of all claims.",
        "检查点以第 {height} 块的封印结束（{time}），封印载明全部权利登记的根。",
    ),
    "check-rules": (
        "The rules (version {version}) and the classes of lines that apply here were in force.",
        "此处适用的规则（第 {version} 版）与线类登记当时有效。",
    ),
    "check-submission": (
        "Platform {platform} signed the submission, and it stands in the log at {index}.",
        "平台 {platform} 签署了该批提交，其位于日志第 {index} 条。",
    ),
    "check-right": (
        "At that place in the log the key of {platform} was valid, and it had the right to submit.",
        "在日志该处，{platform} 的密钥有效，且有权提交。",
    ),
    "check-reduction": (
        "The reduction of {grams} g on {day} (scenario {scenario}) is in that submission, "
        "unchanged.",
        "{day} 的 {grams} 克减排量（场景 {scenario}）在该批提交之内，未被改动。",
    ),
    "check-scenario": (
        "Scenario {scenario} was in force on that day and admits platform {platform}.",
        "场景 {scenario} 当日有效，且接纳平台 {platform}。",
    ),
    "check-methodology": (
        "Methodology {id}, version {version}, was in force on that day, and the reduction has the "
        "grams and exactly the claims that it allows.",
        "方法学 {id} 第 {version} 版当日有效，减排量的克数与权利主张恰为其所允许。",
    ),
    "check-claims": (
        "Not counted twice: all {count} claims ({classes}) are held by this reduction, and no "
        "other claim reaches into them.",
        "未重复计入：全部 {count} 项权利主张（{classes}）由本减排量持有，且无其他主张与之重叠。",
    ),
    "check-holder": (
        "The span {start} to {end} on a line of class {class} is held by a reduction (leaf {leaf}) "
        "of that submission.",
        "{class} 类线上 {start} 至 {end} 区间由该批提交中的减排量（叶 {leaf}）持有。",
    ),
    "check-free": (
        "No claim overlaps {start} to {end} on this line of class {class}.",
        "在此 {class} 类线上，没有任何主张与 {start} 至 {end} 重叠。",
    ),
    "check-activity": (
        "The disclosed activity {id} is the one that the reduction names, and gives exactly it.",
        "所披露的活动 {id} 即减排量所指，并恰好得出该减排量。",
    ),
    "check-books": (
        "The books of all days before {date} are closed.",
        "{date} 之前各日的账目均已结清。",
    ),
    "check-witnessed": (
        "The policy's quorum ({quorum}) has cosigned the checkpoint; cosigned by: {names}.",
        "策略规定的法定人数（{quorum}）已会签检查点；会签者：{names}。",
    ),
    "verdict-valid": (
        "VALID. All of this is proved, and the books of these days are closed: it is final.",
        "有效。以上各项均已证明，相关日期账目已结清，结论为最终。",
    ),
    "verdict-provisional": (
        "VALID, BUT PROVISIONAL. All of this is proved as of {time}; until the books of these days "
        "are closed, it can still be voided.",
        "有效，但属暂定。以上各项截至 {time} 均已证明；在相关日期账目结清之前仍可能被作废。",
    ),
    "verdict-unwitnessed": (
        "NOT YET WITNESSED. Only the log vouches for this checkpoint; the quorum that the policy "
        "asks for has not cosigned it. Do not rely on it.",
        "尚未见证。此检查点仅由日志自身担保，策略要求的法定人数尚未会签，请勿采信。",
    ),
    "verdict-invalid": (
        "INVALID. This file proves nothing.",
        "无效。此文件不证明任何事。",
    ),
    "policy-line": (
        "Line {line} of the policy cannot be used: {reason}",
        "策略第 {line} 行无法使用：{reason}",
    ),
    "checkpoint-log-unknown": (
        "No log of the policy has signed the checkpoint of {origin}.",
        "策略中没有任何日志签署过 {origin} 的检查点。",
    ),
    "checkpoint-unwitnessed": ("The quorum is not reached.", "未达到法定人数。"),
    "bundle-genesis": (
        "The first entry is not the genesis of this log.",
        "首条记录不是本日志的创世记录。",
    ),
    "bundle-incomplete": (
        "The bundle lacks a part that its kind needs.",
        "证明包缺少其种类所需的部分。",
    ),
    "seal-not-last": (
        "The seal stands at {index}, but the last entry of {size} must be a seal.",
        "封印位于第 {index} 条，而 {size} 条中的最后一条必须是封印。",
    ),
    "seal-signature": (
        "The seal is not signed by the log's operator for this ledger.",
        "封印并非由本账本的日志运营方签署。",
    ),
    "statement-signature": (
        "The submission is not signed by the key that the bundle shows.",
        "该提交并非由证明包所示密钥签署。",
    ),
    "held-other-line": ("A proof is for another line.", "证明所属的线不符。"),
    "held-other-holder": ("A span is held by something else.", "该区间由其他主体持有。"),
    "held-other-span": ("A proof is for another span than the claim's.", "证明的区间与主张不符。"),
    "not-in-force": (
        "What is shown as in force ({what}) was not in force at {point}.",
        "所示有效事项（{what}）在 {point} 处并未生效。",
    ),
    "claims-incomplete": (
        "There is not one proof for each claim of the reduction.",
        "减排量的每项主张并非各有一份证明。",
    ),
    "seat-beyond-cap": (
        "Seat {seat} is beyond the {seats} that count.",
        "第 {seat} 个名额超出计入上限 {seats}。",
    ),
    "methodology-differs": (
        "The scenario does not use methodology {id}.",
        "该场景不使用方法学 {id}。",
    ),
    "activity-differs": (
        "The disclosed activity does not give this reduction.",
        "所披露的活动不能得出该减排量。",
    ),
    "file-unreadable": ("{path} cannot be read: {reason}.", "无法读取 {path}：{reason}。"),
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
