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
    # --- the service (api/service/) ---
    "serving": ("Listening on {url}", "正在监听 {url}"),
    "request-invalid": (
        "The request is not as this address takes it: {where}: {reason}.",
        "请求不符合此地址的要求：{where}：{reason}。",
    ),
    "route-unknown": ("There is nothing at {path}.", "{path} 处没有内容。"),
    "method-unknown": (
        "The method {method} is not for this address.",
        "此地址不支持 {method} 方法。",
    ),
    "request-unsigned": (
        "This is for participants of the ledger: sign the request with your ledger key (RFC 9421).",
        "此内容仅供账本参与方读取：请用您的账本密钥签署请求（RFC 9421）。",
    ),
    "read-not-allowed": (
        "{participant} has no role that may read this.",
        "{participant} 没有读取此内容所需的角色。",
    ),
    "request-rate": (
        "Too many requests: at most {limit} a minute. Try again in {retry_after} seconds.",
        "请求过多：每分钟最多 {limit} 次，请在 {retry_after} 秒后重试。",
    ),
    "service-busy": (
        "The service has as much to do as it takes on. Try again in {retry_after} seconds; the "
        "same submission sent again is never recorded twice.",
        "服务繁忙，请在 {retry_after} 秒后重试；同一提交再次发送绝不会重复记录。",
    ),
    "service-fault": (
        "The service failed at this request. It is logged under the request's id.",
        "服务处理此请求时出错，已按请求编号记入日志。",
    ),
    "service-without-key": (
        "The service cannot seal: it has not the key that the operator has now. Start it with "
        "that key.",
        "服务无法封存区块：它没有运营方当前的密钥，请用该密钥启动服务。",
    ),
    "final-not-yet": (
        "The quorum has not cosigned the checkpoint of this proof yet; ask again later.",
        "法定人数尚未会签该证明的检查点，请稍后再试。",
    ),
    "final-without-policy": (
        "No witness policy is in force, so nobody makes a checkpoint of this ledger final.",
        "尚无生效的见证策略，因此无人能使本账本的检查点成为最终。",
    ),
    "policy-missing": (
        "A witness policy is in force, and no statement of governance says so.",
        "见证策略已生效，却没有任何治理声明予以说明。",
    ),
    "cosigner-unreachable": (
        "The cosigner {name} does not answer: {reason}.",
        "会签方 {name} 无应答：{reason}。",
    ),
    "cosigner-refused": (
        "The cosigner {name} refuses this checkpoint: it answers with status {status}.",
        "会签方 {name} 拒绝该检查点，返回状态 {status}。",
    ),
    "cosigner-ahead": (
        "The cosigner {name} has cosigned a later checkpoint already, of {size} entries.",
        "会签方 {name} 已会签更晚的检查点，其规模为 {size} 条。",
    ),
    "cosigner-answer": (
        "What the cosigner {name} answers holds no cosignature by its key that verifies.",
        "会签方 {name} 的应答中没有其密钥的有效会签签名。",
    ),
    "cosigner-unknown": (
        "The policy in use has no key of the name {names}.",
        "使用中的策略没有名为 {names} 的密钥。",
    ),
    "cosigned-elsewhere": (
        "Another process leads this ledger, and collects cosignatures itself.",
        "另一进程正主导此账本，并自行收集会签。",
    ),
    "sealing-stalled": (
        "{waiting} statements wait, and the last block was sealed {seconds} seconds ago.",
        "{waiting} 条声明正在等待，最近一个区块封存于 {seconds} 秒前。",
    ),
    "page-limit": (
        "A page has at most {limit} items.",
        "每页最多 {limit} 项。",
    ),
    "cursor-invalid": (
        "The cursor is not one that this list gave. Begin again without it.",
        "游标不是此列表给出的。请不带游标重新开始。",
    ),
    "refusal-unknown": (
        "No reduction at position {position} of this submission was refused for what it met.",
        "该提交中位置 {position} 处没有因与已有区间冲突而被拒绝的减排量。",
    ),
    "claim-not-asked": (
        "Reductions make no claims on lines of the class {name}; there is nothing to ask.",
        "减排量不在类别 {name} 的线上主张区间，无可查询。",
    ),
    "claim-stretch": (
        "A claim on a line of the class {name} is asked for with {fields}, and nothing else.",
        "查询类别 {name} 的线时，须给出且仅给出：{fields}。",
    ),
    "request-malformed": (
        "This is no request of HTTP/1.1.",
        "这不是 HTTP/1.1 请求。",
    ),
    "head-late": (
        "The request's head did not arrive within {limit} seconds.",
        "请求头未在 {limit} 秒内到达。",
    ),
    "head-size": (
        "The request's head is longer than {limit} bytes.",
        "请求头超过 {limit} 字节。",
    ),
    "body-size": (
        "The body is longer than {limit} bytes.",
        "请求体超过 {limit} 字节。",
    ),
    "inflated-size": (
        "The body is longer than {limit} bytes when it is inflated.",
        "请求体解压后超过 {limit} 字节。",
    ),
    "body-encoding": (
        "The Content-Encoding {encoding} is not taken here.",
        "此处不接受内容编码 {encoding}。",
    ),
    "body-broken": (
        "The body cannot be read to its end: {reason}.",
        "请求体无法完整读取：{reason}。",
    ),
    "body-late": (
        "The body did not arrive within {limit} seconds.",
        "请求体未在 {limit} 秒内到达。",
    ),
    # --- the client (api/client/) ---
    "service-unreachable": (
        "No answer from {url}: {reason}. What was sent may be sent again; it is never recorded "
        "twice.",
        "{url} 没有应答：{reason}。已发送的内容可再次发送，绝不会重复记录。",
    ),
    "service-failed": (
        "The service answered with status {status}, and no reason that can be read.",
        "服务以状态码 {status} 应答，且没有可读的原因。",
    ),
    "answer-invalid": (
        "The service's answer has not the form that it must have: {reason}. Nothing of it is "
        "believed.",
        "服务的应答不符合应有的形式：{reason}。其内容一概不予采信。",
    ),
    "answer-contradicts": (
        "The service's answer contradicts what was sent ({what}). Nothing of it is believed.",
        "服务的应答与所发送的内容（{what}）矛盾。其内容一概不予采信。",
    ),
    "policy-without-log": (
        "The trust policy names no log, so no receipt can be checked.",
        "信任策略没有列出任何日志，无法校验回执。",
    ),
    "client-without-key": (
        "This must be signed: give the client a participant and its key.",
        "此操作须签名：请为客户端提供参与方及其密钥。",
    ),
    "url-invalid": (
        "{url} is not the address of a service: {reason}.",
        "{url} 不是服务的地址：{reason}。",
    ),
    "url-without-policy": (
        "Say with --policy whose receipts are to be believed: a trust policy, from a source that "
        "you trust.",
        "请用 --policy 指明采信谁的回执：来自可信来源的信任策略。",
    ),
    "folder-option": (
        "{option} is for the URL of a service, not for a ledger in a folder.",
        "{option} 用于服务的 URL，不用于文件夹中的账本。",
    ),
    "url-option": (
        "{option} is for a ledger in a folder, not for the URL of a service.",
        "{option} 用于文件夹中的账本，不用于服务的 URL。",
    ),
    # --- the gateway (api/gateway/) ---
    "line-id-taken": (
        "Another line with the id {id} was taken before: give this one an id of its own.",
        "此前已接收过标识为 {id} 的另一行：请为本行另取标识。",
    ),
    "line-not-known": ("No line with the id {id} is known here.", "此处没有标识为 {id} 的行。"),
    "line-not-recorded": (
        "The line {id} waits or is refused: there is nothing to prove.",
        "标识为 {id} 的行尚在等待或已被拒绝：没有可证明的内容。",
    ),
    "proof-invalid": (
        "What the ledger gave as the proof of {leaf} does not hold.",
        "账本为 {leaf} 给出的证明不成立。",
    ),
    "pseudonyms-missing": (
        "The ledger has no key for pseudonyms, and no --secret-file was given.",
        "账本没有用于假名的密钥，也未给出 --secret-file。",
    ),
    "queue-full": (
        "{limit} lines wait already; come back when some of them are done.",
        "已有 {limit} 行在等待；请待其中一部分完成后再来。",
    ),
    "queue-in-use": (
        "Another gateway uses the queue {path}.",
        "另一个网关正在使用队列 {path}。",
    ),
    "address-invalid": (
        "{value!r} is not an address of the form HOST:PORT.",
        "{value!r} 不是 HOST:PORT 形式的地址。",
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
    "suite-not-for-statements": (
        "Keys of the suite {suite} sign no statements: a participant cannot have one.",
        "套件 {suite} 的密钥不用于签署声明：参与方不能使用。",
    ),
    "suite-not-for-notes": (
        "Keys of the suite {suite} sign no notes: the operator's, and a log's, cannot be one.",
        "套件 {suite} 的密钥不用于签署便笺：不能作为运营方或日志的密钥。",
    ),
    "suite-not-for-cosignatures": (
        "Keys of the suite {suite} make no cosignatures: a witness cannot have one.",
        "套件 {suite} 的密钥不用于会签：不能作为见证方的密钥。",
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
    "key-passphrase-long": (
        "The passphrase cannot protect a key file; choose a shorter one ({reason}).",
        "该口令不能用于保护密钥文件，请选用较短的口令（{reason}）。",
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
    "cosigned-name-size": (
        "{name!r} is too long for an ML-DSA cosignature, which names the cosigner and the log in "
        "at most {limit} bytes each.",
        "{name!r} 过长：ML-DSA 会签所含的会签者名称与日志名称各不超过 {limit} 字节。",
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
    "oprf-batch": (
        "{count} elements cannot be evaluated at once: it is 1 to {limit}.",
        "不能一次求值 {count} 个元素：须为 1 至 {limit} 个。",
    ),
    "oprf-element": (
        "An element is not 32 bytes in the one encoding of ristretto255, or is the identity.",
        "元素不是 32 字节的 ristretto255 唯一规范编码，或为单位元。",
    ),
    "oprf-input": (
        "An identifier is too long, or empty: its pseudonym is computed from 1 to {limit} bytes.",
        "标识符过长或为空：假名由 1 至 {limit} 字节计算得出。",
    ),
    "identifier-empty": (
        "An identifier of the class {name} names nothing: it is empty in its one spelling.",
        "{name} 类的标识符在统一写法后为空，不指代任何对象。",
    ),
    "oprf-unproved": (
        "The service does not prove that it computed the pseudonyms with the key that stands in "
        "the ledger; use none of them.",
        "假名服务未能证明其使用了账本中登记的密钥；所得假名一概不可使用。",
    ),
    "epoch-unknown": (
        "The service has no key of pseudonyms whose epoch begins on {day}.",
        "本服务没有自 {day} 起的假名密钥。",
    ),
    "epoch-missing": (
        "No key of pseudonyms stands in the ledger for the class {name} on {day}.",
        "账本中没有 {name} 类在 {day} 的假名密钥。",
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
    "span-invalid": (
        "The proof speaks of a span that cannot be: its start, end, line or holder is out of form.",
        "证明所述的区间不可能存在：其起点、终点、线或持有者不合格式。",
    ),
    "held-root-differs": (
        "The register under this root does not hold this span for this holder.",
        "此根之下的登记册并未记载该持有者占有这一区间。",
    ),
    "free-root-differs": (
        "The proof that the stretch is free belongs to another register root.",
        "证明该区段空闲的凭据属于另一个登记册根。",
    ),
    "free-evidence-missing": (
        "The proof calls the stretch free but shows neither the span before nor the one after.",
        "证明称该区段空闲，却既未出示之前的区间，也未出示之后的区间。",
    ),
    "neighbour-overlaps": (
        "The span that the proof shows beside this stretch reaches into it, or is on its wrong "
        "side.",
        "证明所示的相邻区间侵入该区段，或位于错误的一侧。",
    ),
    "neighbour-root-differs": (
        "The span that the proof shows as a neighbour is not in the register under this root.",
        "证明所示的相邻区间不在此根之下的登记册中。",
    ),
    "neighbour-left-out": (
        "The line has a further span on the side where the proof shows none.",
        "在证明未出示相邻区间的一侧，该线上还有别的区间。",
    ),
    "neighbour-not-adjacent": (
        "The two spans that the proof shows side by side can have others between them.",
        "证明所示的两个相邻区间之间可能还有其他区间。",
    ),
    "path-not-descending": (
        "A path in the proof does not lead down the register: its bit lengths must increase, and "
        "stay below 256.",
        "证明中的路径并非沿登记册逐级向下：各步的位长必须递增，且小于 256。",
    ),
    "path-sibling-invalid": (
        "A path in the proof has a sibling that is empty or is not 32 bytes.",
        "证明中的路径含有为空或不是 32 字节的兄弟节点。",
    ),
    "absent-path-too-long": (
        "The proof that the line is absent passes through a node within some line; it has to end "
        "above.",
        "证明该线不存在的路径穿过了某条线内部的节点；它必须在其上方结束。",
    ),
    "absent-end-invalid": (
        "What stands at the end of the proof of absence does not contradict the line, or is out "
        "of form.",
        "不存在证明末端的节点与该线并不矛盾，或不合格式。",
    ),
    "span-not-held": (
        "No live span of this line starts here; there is nothing to prove held.",
        "该线上没有从此处开始的有效区间，无可证明的占有。",
    ),
    "span-not-free": (
        "A live span overlaps this stretch; it cannot be proved free.",
        "有效区间与该区段重叠，无法证明其空闲。",
    ),
    "span-not-there": (
        "The register lost its order: the span {key} was to be removed or shown, and is not there.",
        "登记册次序错乱：需要移除或出示的区间 {key} 不存在。",
    ),
    "page-missing": (
        "The stored page {page} of the register is missing; restore the ledger's database.",
        "登记册的存储页 {page} 缺失；请恢复账本数据库。",
    ),
    "span-twice": (
        "Two claims are to the same stretch of a line; a span has one holder.",
        "两项主张指向同一条线的同一段；一段只能有一个持有者。",
    ),
    "multiproof-malformed": (
        "The proof of many keys is not in its one form.",
        "多键证明的格式不符。",
    ),
    "multiproof-leaves": (
        "The proof of many keys is about another number of leaves.",
        "多键证明所含叶子的数量不符。",
    ),
    "multiproof-order": (
        "The proof of many keys does not part them as a tree of these keys would.",
        "多键证明对各键的划分与由这些键构成的树不符。",
    ),
    "key-not-there": (
        "The key {key} is not in the tree; nothing was changed. Report this.",
        "树中没有键 {key}；未作任何更改，请报告。",
    ),
    # --- lots (chain/lots.py, chain/closing.py) ---
    "lot-bounds": (
        "A count or a sum of grams is not one that a lot can have: each reduction is of one gram "
        "at least, and the sum is below 2^63.",
        "数量或克数之和超出批次允许的范围：每笔减排量至少 1 克，总和须小于 2^63。",
    ),
    "lot-key-twice": (
        "A reduction stands in the lot twice.",
        "同一减排量在批次中出现两次。",
    ),
    "lot-root-differs": (
        "The reductions do not give the lot's count, grams and root.",
        "由这些减排量得不出该批次的数量、克数和根。",
    ),
    "lot-mixed": (
        "The reduction {leaf} is of another platform, scenario or day than the lot.",
        "减排量 {leaf} 的平台、场景或日期与批次不同。",
    ),
    "lot-too-large": (
        "The file of the lot would be of {size} bytes; {limit} is the most.",
        "批次文件将有 {size} 字节，超过上限 {limit}。",
    ),
    "lot-file": (
        "The file of the lot is damaged. It can be made again from the files of reductions.",
        "批次文件已损坏；可由减排量文件重新生成。",
    ),
    "lot-unknown": (
        "{platform} has no lot of {scenario} on {day}: nothing was recorded, or the day is open.",
        "{platform} 在 {day} 没有 {scenario} 的批次：当日没有记录，或账目未结清。",
    ),
    "reductions-differ": (
        "The file of the reductions submitted at {index} is not the one that was signed.",
        "第 {index} 号提交的减排量文件与所签署的不符。",
    ),
    "close-again": (
        "The books are closed for the days before {closed_until} already; {until} is not later.",
        "账目已结清至 {closed_until} 之前；{until} 并不更晚。",
    ),
    "close-too-early": (
        "By the ledger's clock the books can be closed up to {last} at most, not up to {until}: "
        "a day stays open for the acceptance window.",
        "按账本时钟，账目最多可结清至 {last}，不能至 {until}：每日在受理期内须保持开放。",
    ),
    "close-differs": (
        "The close states {stated} for {what}; the days to close hold {found}. Something came in "
        "since it was signed: sign it again.",
        "结账声明所述 {what} 为 {stated}，而待结清日期实为 {found}；签署之后有变动，请重新签署。",
    ),
    "page-corrupt": (
        "A stored page of the register is damaged; restore the ledger's database.",
        "登记册的某个存储页已损坏；请恢复账本数据库。",
    ),
    "kernel-missing": (
        "TALLY_KERNEL asks for {kernel}, which is not installed, or not for this version.",
        "TALLY_KERNEL 要求使用 {kernel}，但其未安装，或版本不符。",
    ),
    "kernel-panicked": (
        "The compiled kernel met a case that it does not know; set TALLY_KERNEL=python.",
        "编译内核遇到其未知的情形；请设置 TALLY_KERNEL=python。",
    ),
    # --- classes, methodologies, activities, reductions ---
    "class-unknown": ("There is no class of lines {name!r}.", "没有名为 {name!r} 的线类。"),
    "class-twice": (
        "Two classes of lines share a number or a name.",
        "有两个线类使用了相同的编号或名称。",
    ),
    "line-parts": (
        "A line of the class {name} is named by {count} parts.",
        "{name} 类的线由 {count} 个部分命名。",
    ),
    "line-part": (
        "{value!r} cannot be the part {part!r} in the name of a line of the class {name}.",
        "{value!r} 不能用作 {name} 类线名的 {part!r} 部分。",
    ),
    "line-day": (
        "A line of the class {name} has a day where it should have none, or lacks one.",
        "{name} 类的线多了日期，或缺少日期。",
    ),
    "issuer-unknown": (
        "{issuer!r} is not on the governed list of issuers of the class {name}.",
        "{issuer!r} 不在 {name} 类的受治理发行方名单上。",
    ),
    "span-day": (
        "Lines of the class {name} are not dated, but this one names a day.",
        "{name} 类的线不带日期，而此线带有日期。",
    ),
    "span-class": (
        "On a line of the class {name} there can be no span {start} to {end}.",
        "{name} 类的线上不可能有 {start} 至 {end} 的区间。",
    ),
    "activity-line-feed": (
        "An activity stands on one line; this one holds a line feed or a carriage return.",
        "每个活动占一行；此活动含有换行符或回车符。",
    ),
    "activity-invalid": (
        "The activity in line {line} is not accepted: {reason}",
        "第 {line} 行的活动不被接受：{reason}",
    ),
    "formula-invalid": ("The formula cannot be used: {reason}.", "公式无法使用：{reason}。"),
    "table-row-missing": (
        "No row of the table over {fields} matches {values}.",
        "按 {fields} 查表，没有与 {values} 相符的行。",
    ),
    "methodology-invalid": (
        "The methodology cannot be used; this part is wrong: {what}.",
        "方法学无法使用，有误的部分：{what}。",
    ),
    "methodology-claims-nothing": (
        "The methodology {id} does not claim, from every activity, a line that pins down the "
        "event; without one, nothing would keep it from being counted twice.",
        "方法学 {id} 未对每个活动主张能锁定该事件的线；缺少它便无法防止重复计入。",
    ),
    "tier-not-counted": (
        "The methodology {id} does not count evidence of the tier {tier!r}.",
        "方法学 {id} 不计入等级为 {tier!r} 的证据。",
    ),
    "duration-out-of-bounds": (
        "The activity lasted {seconds} seconds; what counts is {bounds}, least and most.",
        "活动持续 {seconds} 秒；计入的上下限为 {bounds}。",
    ),
    "quantity-out-of-bounds": (
        "The quantity {name!r} is missing, or is not within {bounds}, least and most.",
        "数量 {name!r} 缺失，或不在上下限 {bounds} 之内。",
    ),
    "no-reduction": (
        "By its methodology the activity saves {grams} g, which is no reduction.",
        "按其方法学，该活动减排 {grams} 克，不构成减排量。",
    ),
    "activity-field-missing": (
        "The activity does not give {field!r}, which the methodology {id} needs.",
        "活动未提供方法学 {id} 所需的 {field!r}。",
    ),
    "outside-slots": (
        "The activity begins at a time of day that the methodology {id} does not count.",
        "活动开始的时刻不在方法学 {id} 的计入时段内。",
    ),
    "span-too-long": (
        "The activity would claim {seconds} seconds on a line of the class {name}; it must be at "
        "least 1 and at most {limit}.",
        "活动将在 {name} 类的线上主张 {seconds} 秒；须至少 1 秒、至多 {limit} 秒。",
    ),
    "span-beyond-calendar": (
        "The activity reaches beyond the days that the ledger can number, 1970 to 2149.",
        "活动超出账本可编号的日期范围（1970 至 2149 年）。",
    ),
    "too-many-claims": (
        "The activity would make {count} claims; a reduction has at most {limit}.",
        "活动将产生 {count} 项主张；一笔减排量最多 {limit} 项。",
    ),
    "reduction-malformed": (
        "The bytes are not a reduction in its one form: {reason}.",
        "字节不是减排量的唯一规范形式：{reason}。",
    ),
    "reduction-version": (
        "The reduction names version {version} of its methodology, which is not the one in force.",
        "减排量所列的方法学第 {version} 版并非当时有效的版本。",
    ),
    "reduction-grams": (
        "The reduction has {grams} g; its methodology allows {bounds}, least and most.",
        "减排量为 {grams} 克；其方法学允许的上下限为 {bounds}。",
    ),
    "reduction-class-missing": (
        "The reduction lacks the claim of the class {name} that its methodology demands.",
        "减排量缺少其方法学要求的 {name} 类主张。",
    ),
    "reduction-claim": (
        "The claim of the class {name} is not one that the methodology can give for that day.",
        "{name} 类的主张不是该方法学在当日所能给出的。",
    ),
    "reduction-claim-extra": (
        "The reduction makes {count} claims more than its methodology demands.",
        "减排量比其方法学所要求的多出 {count} 项主张。",
    ),
    "reduction-claim-twice": (
        "The reduction claims twice on one line.",
        "减排量在同一条线上主张了两次。",
    ),
    "scenario-period": (
        "The crediting period of the scenario {id} is empty, or the definition begins outside it.",
        "场景 {id} 的计入期为空，或其定义不在计入期内生效。",
    ),
    "span-taken": (
        "On {day}, the stretch {start} to {end} is already claimed by a reduction of {platform}.",
        "{day} 的 {start} 至 {end} 区间已由 {platform} 的一笔减排量占用。",
    ),
    "cap-full": (
        "No more of this behaviour counts in the period that ends on {day}: every seat is taken.",
        "截至 {day} 的周期内，该行为的计入次数已满。",
    ),
    "day-closed": (
        "The books of {day} are closed: nothing can be recorded on that day any more.",
        "{day} 的账目已结清，不能再登记。",
    ),
    "epoch-border": (
        "The activity reaches from {day} over the day on which the key of pseudonyms changes: it "
        "cannot be counted without risk of counting it twice.",
        "该活动跨越假名密钥更换之日（涉及 {day}）：计入即有重复计算之虞，故不计入。",
    ),
    "day-not-begun": (
        "{day} is still to come by the ledger's clock.",
        "按账本时钟，{day} 尚未到来。",
    ),
    # --- statements, rules, sequencing ---
    "format-unknown": (
        "This version does not know the format {format} of: {where}.",
        "此版本不认识 {where} 的格式 {format}。",
    ),
    "kind-unknown": (
        "A statement of the kind {kind!r} cannot be taken in here.",
        "此处不接受种类为 {kind!r} 的声明。",
    ),
    "statement-known": ("The statement {id} is in the log already.", "声明 {id} 已在日志中。"),
    "statement-other-ledger": (
        "The statement was made for another ledger.",
        "该声明是为另一账本所作。",
    ),
    "statement-expired": (
        "The statement expired at {expires} (unix seconds); the ledger's clock stands at {time}. "
        "Sign it again with a later expiry.",
        "声明已于 {expires}（Unix 秒）失效，账本时钟为 {time}；请以更晚的失效时间重新签署。",
    ),
    "statement-not-known": (
        "The ledger does not know the statement {id}: it neither stands in the log nor waits.",
        "账本不知有声明 {id}：它既不在日志中，也不在等待。",
    ),
    "statement-unknown": ("The log has no entry {index}.", "日志没有第 {index} 号条目。"),
    "participant-unknown": (
        "No participant {participant!r} is enrolled.",
        "没有登记参与方 {participant!r}。",
    ),
    "participant-known": (
        "The participant {participant} is enrolled already.",
        "参与方 {participant} 已经登记。",
    ),
    "signature-invalid": (
        "The signature is not by the key that {participant} has at log index {index}.",
        "签名并非出自 {participant} 在日志序号 {index} 处的有效密钥。",
    ),
    "role-missing": (
        "{participant} has no role that may sign a statement of the kind {kind!r}.",
        "{participant} 没有可签署 {kind!r} 类声明的角色。",
    ),
    "role-unknown": ("There is no role {role!r}.", "没有角色 {role!r}。"),
    "genesis-first": (
        "The first statement of a ledger is its genesis, and this is another kind.",
        "账本的第一份声明须为创世声明，而此声明是其他种类。",
    ),
    "genesis-missing": ("The ledger has no genesis yet.", "账本尚无创世声明。"),
    "genesis-bounds": (
        "A number in the genesis is out of bounds.",
        "创世声明中有数值超出范围。",
    ),
    "genesis-threshold": (
        "The genesis asks for {threshold} governors to approve, but enrols {governors}.",
        "创世声明要求 {threshold} 名治理方批准，但只登记了 {governors} 名。",
    ),
    "action-unknown": (
        "Governance knows no action {action!r}.",
        "治理中没有 {action!r} 这一动作。",
    ),
    "epoch-not-new-year": (
        "A key of pseudonyms cannot begin on {day}: it begins on 1 January, and in the genesis the "
        "first one on a day up to the ledger's first.",
        "假名密钥不能自 {day} 起生效：须自 1 月 1 日起；创世声明中的首个密钥可不晚于账本首日。",
    ),
    "epoch-retroactive": (
        "A key of pseudonyms from {day} would change days on which reductions can be recorded "
        "already, tomorrow among them, or comes before the one that is published.",
        "自 {day} 起的假名密钥会改动已可记录减排量的日期（含次日），或早于已公布的密钥。",
    ),
    "epoch-key-known": (
        "The key {key} stands in the ledger already; every epoch has a key of its own.",
        "密钥 {key} 已在账本中；每个时期须有各自的密钥。",
    ),
    "proposal-unknown": (
        "No proposal {proposal} waits: it never was made, has been enacted, or has expired.",
        "没有等待中的提案 {proposal}：从未提出、已经生效或已经失效。",
    ),
    "proposal-expired": (
        "The proposal {proposal} expired at {expires} (unix seconds); propose it again.",
        "提案 {proposal} 已于 {expires}（Unix 秒）失效；请重新提出。",
    ),
    "approval-twice": (
        "{participant} has approved this proposal already.",
        "{participant} 已批准过该提案。",
    ),
    "consumes-differs": (
        "The action must name, as what it consumes, the holder {expected} of the span that it "
        "changes.",
        "该动作须以 consumes 指明其所改区间的持有者 {expected}。",
    ),
    "class-changed": (
        "The new registry drops the class {name}, or changes what claimed lines rest on; classes "
        "can only be added.",
        "新登记删除了线类 {name}，或改动了已有主张所依据的内容；线类只能新增。",
    ),
    "document-retroactive": (
        "The new version of {id} would change days on which reductions can be recorded already, "
        "tomorrow among them, or one that is to come first.",
        "{id} 的新版本会改动已可记录减排量的日期（含次日），或先于尚未生效的前一版本。",
    ),
    "published-differs": (
        "The published checkpoint of size {size} is not the database's: it was put back from an "
        "old copy, or another ledger's files lie here. Nothing is signed on top of it.",
        "已发布的检查点（大小 {size}）与数据库不符：数据库可能由旧备份恢复，"
        "或此处是另一账本的文件。账本不会在此基础上继续签名。",
    ),
    "operator-needed": (
        "{participant} seals the blocks and would have no key, or no role, to do so; rotate its "
        "key instead.",
        "区块由 {participant} 封存，该决定会使其失去密钥或角色；请改为轮换密钥。",
    ),
    "governors-needed": (
        "Only {governors} governors would have a key and the role without an end, and {threshold} "
        "must approve: nothing could ever be decided again.",
        "届时只剩 {governors} 名治理方的密钥与角色没有终止，而批准需要 {threshold} 名："
        "此后将无法再作任何决定。",
    ),
    "threshold-differs": (
        "The action must name the threshold that it replaces, which is {expected}.",
        "该动作须指明其所取代的批准人数，现为 {expected}。",
    ),
    "threshold-bounds": (
        "{threshold} approvals cannot be asked for: the threshold is 1 to {most}, the governors "
        "with a key and the role without an end.",
        "不能要求 {threshold} 份批准：批准人数须为 1 至 {most}，"
        "即密钥与角色均没有终止的治理方人数。",
    ),
    "rules-version": (
        "Version {version} of the rules cannot come into force: it must be later than {last}, and "
        "versions up to {newest} are known here.",
        "规则第 {version} 版不能生效：须晚于第 {last} 版，且此处只认识至第 {newest} 版。",
    ),
    "policy-quorum": (
        "A quorum of {quorum} of {count} auditors does not withstand {faults} that lie: it must be "
        "at most all of them, and more than half of the auditors and the liars together.",
        "{count} 个审计方中 {quorum} 个的法定数不足以抵御 {faults} 个说谎者："
        "法定数不得超过总数，且须大于审计方与说谎者合计的一半。",
    ),
    "policy-witness-quorum": (
        "A quorum of {quorum} of {count} ordinary witnesses cannot be: it is 0 to all of them.",
        "普通见证方 {count} 个，法定数不能是 {quorum}：须为 0 至总数。",
    ),
    "policy-cosigners": (
        "The witness policy names {count} cosigners; at most {most} fit under a checkpoint.",
        "见证策略列有 {count} 个共签方；一个检查点下最多容纳 {most} 个。",
    ),
    "policy-cosigner-twice": (
        "The witness policy names the cosigner {name}, or its key, twice.",
        "见证策略中会签方 {name} 或其密钥重复出现。",
    ),
    "policy-not-cosigner": (
        "The key of {name} is not one for cosignatures.",
        "{name} 的密钥不是会签密钥。",
    ),
    "policy-name": (
        "{name!r} cannot name a cosigner in a policy: use printable ASCII, and no name of a group.",
        "{name!r} 不能在策略中作为会签方名称：须为可打印 ASCII 字符，且不与组名相同。",
    ),
    "methodology-retroactive": (
        "The methodology {id} can be in force from tomorrow by the ledger's clock, and not before.",
        "方法学 {id} 最早自账本时钟的次日起生效。",
    ),
    "methodology-undated": (
        "The methodology {id} names a line of the undated class {name} by a person, a vehicle or a "
        "meter; their pseudonyms change with the epoch, and the line would not stay the same.",
        "方法学 {id} 以人员、车辆或计量表命名不分日期的 {name} 类线；"
        "其假名随密钥时期而变，该线将不再是同一条线。",
    ),
    "methodology-version": (
        "The next version of the methodology {id} is {expected}.",
        "方法学 {id} 的下一版本号应为 {expected}。",
    ),
    "methodology-unknown": (
        "No methodology {id!r} has been published.",
        "尚未发布方法学 {id!r}。",
    ),
    "methodology-not-in-force": (
        "No version of the methodology {id} is in force on {day}.",
        "{day} 没有任何版本的方法学 {id} 有效。",
    ),
    "scenario-not-in-force": (
        "The scenario {scenario!r} is not in force on {day}.",
        "场景 {scenario!r} 在 {day} 无效。",
    ),
    "platform-not-admitted": (
        "The scenario {scenario} does not admit the platform {platform}.",
        "场景 {scenario} 未接纳平台 {platform}。",
    ),
    "submission-count": (
        "The submission states {stated} reductions and comes with {given}; it may hold 1 to "
        "65,536.",
        "提交声明 {stated} 笔减排量，实际 {given} 笔；允许 1 至 65,536 笔。",
    ),
    "submission-grams": (
        "The submission states {stated} g, but its reductions add up to {given} g.",
        "提交声明 {stated} 克，而其减排量合计 {given} 克。",
    ),
    "submission-root": (
        "The root that the submission signs is not that of its reductions.",
        "提交所签的根不是其减排量的根。",
    ),
    "submission-mixed": (
        "All reductions of this submission must be of the platform {platform} and the scenario "
        "{scenario!r}.",
        "该提交的全部减排量须属于平台 {platform} 和场景 {scenario!r}。",
    ),
    "reduction-not-allowed": (
        "A reduction of the submission is not one that its methodology gives: {reason}",
        "提交中有一笔减排量不是其方法学所能给出的：{reason}",
    ),
    "void-list": (
        "The list of reductions to void is empty, names one twice, or does not fit the log.",
        "作废清单为空、有重复，或与日志不符。",
    ),
    "void-not-own": (
        "{participant} may void its own reductions only.",
        "{participant} 只能作废自己的减排量。",
    ),
    "void-not-held": (
        "The reduction with the holder {holder} does not hold its claims: it was refused, or has "
        "been voided.",
        "持有者为 {holder} 的减排量并未持有其主张：曾被拒绝，或已作废。",
    ),
    "void-day-closed": (
        "The books of {day} are closed: nothing on that day can be voided any more.",
        "{day} 的账目已结清，当日内容不能再作废。",
    ),
    # --- certification, issuance, holdings (chain/) ---
    "text-empty": (
        "In {where}, the field {field!r} must say something.",
        "{where} 的字段 {field!r} 不能为空。",
    ),
    "range-invalid": (
        "[{start}, {end}) is no range: it must begin at 0 or later and end after it begins.",
        "[{start}, {end}) 不是有效范围：起点不得小于 0，且终点须在起点之后。",
    ),
    "certification-differs": (
        "The certification that the statement carries does not stand in the register: it was "
        "withdrawn, or is another one. There stands: {met}.",
        "声明所附的核证在登记中不成立：已被撤回，或为另一份核证。登记中为：{met}。",
    ),
    "issuance-differs": (
        "The issuance that the statement carries does not stand in the register. There stands: "
        "{met}.",
        "声明所附的签发在登记中不成立。登记中为：{met}。",
    ),
    "carry-differs": (
        "The carried grams that the statement names are not those that stand in the register: "
        "they have been used. There stands: {met}.",
        "声明所附的结转克数与登记不符：已被使用。登记中为：{met}。",
    ),
    "holding-differs": (
        "The units do not stand as the statement says, or not in one holding: they have moved "
        "since, were split, or were never issued. There stands: {met}.",
        "这些单位与声明所述不符，或不在同一持有记录中：可能已转移、已拆分，或从未签发。"
        "登记中为：{met}。",
    ),
    "certification-period": (
        "The days from {since} on that it certifies must be one at least, and of one calendar "
        "year: units have one vintage.",
        "自 {since} 起核证的日期至少为一天，且须在同一公历年内：每个单位只有一个年份。",
    ),
    "certification-open": (
        "The books are closed for the days before {until} alone; only closed days are certified.",
        "账目只结清至 {until} 之前；只有已结清的日期可以核证。",
    ),
    "verifier-not-independent": (
        "{participant} cannot certify this: it is {of}, or shares a key with it.",
        "{participant} 不能作此核证：它就是 {of}，或与其共用密钥。",
    ),
    "lots-differ": (
        "The certification states {stated} lots, which are not the {closed} that stand in these "
        "days; it covers each lot of its days as it was closed, one at least.",
        "核证列出 {stated} 个批次，与这些日期内登记的 {closed} 个不符；"
        "须如实涵盖期间内的每个批次，至少一个。",
    ),
    "certification-list": (
        "The list of exclusions names a reduction twice, or does not fit the log.",
        "排除清单有重复，或与日志不符。",
    ),
    "erasure-list": (
        "The list of reductions to erase is empty, names one twice, or does not fit the log.",
        "删除清单为空、有重复，或与日志不符。",
    ),
    "exclusion-not-held": (
        "The reduction with the holder {holder} is in no lot, so there is nothing to exclude: it "
        "was refused, or has been voided.",
        "持有者为 {holder} 的减排量不在任何批次中，无需排除：曾被拒绝，或已作废。",
    ),
    "reduction-elsewhere": (
        "The reduction with the holder {holder} is of another platform or scenario, or of a day "
        "that is not certified.",
        "持有者为 {holder} 的减排量属于其他平台或场景，或其日期未经核证。",
    ),
    "certification-sum": (
        "By its lots, its exclusions and its opinion it certifies {count} reductions of {grams} g "
        "in all, and states otherwise.",
        "按其批次、排除项和意见，应核证 {count} 笔减排量、共 {grams} 克，与所述不符。",
    ),
    "certified-already": (
        "Days of this period are certified already, which is for one verifier to withdraw before "
        "another certifies them. There stands: {met}.",
        "该期间内的日期已有核证，须先撤回方可重新核证。登记中为：{met}。",
    ),
    "withdrawal-not-own": (
        "{participant} cannot withdraw this: {verifier}, who gave it, or a governor can.",
        "{participant} 不能撤回此核证：只有出具者 {verifier} 或治理方可以。",
    ),
    "certification-certifies-nothing": (
        "The opinion of the certification is {opinion}: it certifies nothing.",
        "该核证的意见为 {opinion}：未核证任何减排量。",
    ),
    "authority-needed": (
        "{participant} is not the authority of the scenario {scenario}.",
        "{participant} 不是场景 {scenario} 的签发机构。",
    ),
    "notice-days": (
        "The public notice must begin on {day}, when the certification was recorded, or later, "
        "and last a day at least.",
        "公示须始于核证登记之日 {day} 或之后，且至少持续一天。",
    ),
    "notice-open": (
        "The public notice lasts until {until}: nothing is issued before it has ended.",
        "公示至 {until} 结束：结束之前不能签发。",
    ),
    "issued-already": (
        "Units of these days have been issued. There stands: {met}.",
        "这些日期的单位已经签发。登记中为：{met}。",
    ),
    "issuance-sum": (
        "{grams} g, certified and carried, make {units} units and leave {left} g; the issuance "
        "states otherwise.",
        "经核证与结转的 {grams} 克应签发 {units} 个单位，余 {left} 克；与签发所述不符。",
    ),
    "correction-grams": (
        "A correction of {grams} g cannot be: it is 1 to {most}, what the issuance was for.",
        "不能更正 {grams} 克：须为 1 至 {most} 克，即该次签发所依据的克数。",
    ),
    "series-differs": (
        "These units are of the registry {registry} and the series {series}.",
        "这些单位属于登记机构 {registry}、系列 {series}。",
    ),
    "serials-not-next": (
        "The serial numbers begin at {first}; the next one of the series is {expected}.",
        "序列号从 {first} 开始；该系列的下一序列号为 {expected}。",
    ),
    "registry-own": (
        "{registry} is this ledger's own registry: its units are issued, not deposited.",
        "{registry} 是本账本自己的登记机构：其单位由签发产生，不能存入。",
    ),
    "serials-taken": (
        "Units with some of these serial numbers are here already. There stands: {met}.",
        "这些序列号中已有单位登记在此。登记中为：{met}。",
    ),
    "holder-needed": (
        "{participant} has no role in which it may hold units.",
        "{participant} 没有可以持有单位的角色。",
    ),
    "holding-status": (
        "The units are {status}, and must be {needed} for this.",
        "这些单位的状态为 {status}，此操作要求为 {needed}。",
    ),
    "owner-needed": (
        "The units are {owner}'s, not {participant}'s.",
        "这些单位属于 {owner}，而非 {participant}。",
    ),
    "issuer-needed": (
        "{participant} cannot cancel these units: {issuer} brought them in.",
        "{participant} 不能取消这些单位：它们由 {issuer} 签发或存入。",
    ),
    "exchange-needed": (
        "{participant} is no exchange.",
        "{participant} 不是交易所。",
    ),
    "offer-divided": (
        "An offer is imported or released whole. There stands: {met}.",
        "要约只能整体导入或解除。登记中为：{met}。",
    ),
    "offer-to-another": (
        "The units are offered to {exchange}, not to {participant}.",
        "这些单位是向 {exchange} 而非 {participant} 提出的要约。",
    ),
    "offer-expired": (
        "The offer ends at the unix second {expires}, which the ledger's clock has reached.",
        "要约于 unix 秒 {expires} 到期，账本时钟已到该时刻。",
    ),
    "offer-open": (
        "The offer to {exchange} stands until the unix second {expires}; until then {exchange} "
        "alone can release the units.",
        "对 {exchange} 的要约有效至 unix 秒 {expires}；在此之前只有 {exchange} 可以解除锁定。",
    ),
    "seal-out-of-order": (
        "The seal is of height {height}, or follows another seal; the next height is {expected}.",
        "封印高度为 {height}，或其前一封印不符；下一高度应为 {expected}。",
    ),
    "seal-backdated": (
        "The seal's time {time} lies before the last seal's, {last}.",
        "封印时间 {time} 早于上一封印的 {last}。",
    ),
    "seal-register": (
        "The seal of height {height} does not name the register's root.",
        "高度 {height} 的封印所载登记根不符。",
    ),
    "lead-held": (
        "Another process seals this ledger, and has not sealed what waits within {seconds} "
        "seconds. It is kept: ask again later.",
        "另一进程正在封印此账本，但在 {seconds} 秒内未封印等待中的声明。声明已保存，请稍后查询。",
    ),
    "sequencer-overtaken": (
        "Another sequencer has sealed a block of this ledger in the meantime; try again.",
        "另一排序器已为此账本封印了区块，请重试。",
    ),
    "replay-register": (
        "Replaying governance asked for the register, which it never may.",
        "重放治理时访问了登记，这绝不应发生。",
    ),
    "ledger-missing": ("There is no ledger in {path}.", "{path} 中没有账本。"),
    "block-unknown": (
        "The ledger has no block of height {height}.",
        "账本没有高度为 {height} 的区块。",
    ),
    "register-differs": (
        "The stored register does not have the root that block {height} sealed. The database is "
        "damaged: restore it, and do not seal on.",
        "存储的登记簿与第 {height} 块所封印的根不符。数据库已损坏：请恢复数据库，切勿继续封印。",
    ),
    # --- bundles, policies, verdicts (verifier/) ---
    "check-failed": ("NOT SHOWN: {said} The reason: {reason}", "未能证明：{said}原因：{reason}"),
    "check-form": (
        "The file is in its one form.",
        "文件格式唯一且正确。",
    ),
    "check-policies": (
        "From the policy in hand, {count} links were followed, each final under those before it.",
        "自手中的策略起，沿 {count} 个链接前行，每个链接均在其之前的策略下成为最终。",
    ),
    "check-governed": (
        "The witness policies that governance has put in force are all here, without a gap: "
        "{count}.",
        "治理机构生效过的见证策略全部在此，前后相接，共 {count} 个。",
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
    "check-lot": (
        "The lot of {platform} under {scenario} on {day} stands in the register.",
        "{platform} 在场景 {scenario} 下 {day} 的批次已登记。",
    ),
    "check-lot-submissions": (
        "Platform {platform} signed the {count} submissions with the lot's reductions, and had the "
        "right to; they stand in the log, unchanged.",
        "平台 {platform} 有权并已签署含该批次减排量的 {count} 批提交，均在日志中，未被改动。",
    ),
    "check-lot-methodology": (
        "Methodology {id}, version {version}, was in force on that day, and each reduction of the "
        "lot has the grams and exactly the claims that it allows.",
        "方法学 {id} 第 {version} 版当日有效，批次中每笔减排量的克数与权利主张恰为其所允许。",
    ),
    "check-lot-claims": (
        "Not counted twice: all {count} claims of these reductions are held, each by its own "
        "reduction, and no other claim reaches into them.",
        "未重复计入：这些减排量的全部 {count} 项权利主张均由各自减排量持有，且无其他主张与之重叠。",
    ),
    "check-lot-total": (
        "These {count} reductions of {grams} g in all are the whole lot, each of them once.",
        "这 {count} 笔、共 {grams} 克减排量即整个批次，每笔恰计一次。",
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
    # --- certificates (verifier/certificates.py, verifier/anchors.py) ---
    "check-newer": (
        "The checkpoint in hand, of {size} entries, does not go beyond this one.",
        "手头的检查点（{size} 条）并不比此检查点更新。",
    ),
    "checkpoint-other-log": (
        "A checkpoint is of another log, {origin}.",
        "某检查点属于另一日志 {origin}。",
    ),
    "checkpoint-stale": (
        "The checkpoint in hand has {newer} entries, this one only {size}: ask for a newer file.",
        "手头的检查点已有 {newer} 条，此检查点仅 {size} 条；请索取更新的文件。",
    ),
    "checkpoint-forked": (
        "The checkpoint in hand has the same size and another root: the log shows two histories.",
        "手头的检查点大小相同而根不同：该日志出示了两种历史。",
    ),
    "check-issuance": (
        "{authority} issued {issued} units of {series}, and had the right to: {carried_in} g "
        "carried in and {grams} g certified, {carried_out} g carried out.",
        "{authority} 有权签发，并已签发 {series} 共 {issued} 个单位：结转入 {carried_in} 克，"
        "核证 {grams} 克，结转出 {carried_out} 克。",
    ),
    "check-definitions": (
        "The definitions of scenario {scenario}, one of which names that authority, and its "
        "methodologies ({versions}) are those of the ledger.",
        "场景 {scenario} 的各版定义（其中载明该签发机构）及其方法学（{versions}）均为账本所载。",
    ),
    "check-certification": (
        "Verifier {verifier} gave the certification (opinion {opinion}, {assurance} assurance), "
        "and had the right to; at the checkpoint it has not been withdrawn.",
        "核证机构 {verifier} 有权核证并已出具（意见 {opinion}，保证程度 {assurance}）；"
        "在检查点处未被撤回。",
    ),
    "check-lots": (
        "The {lots} lots that it lists are closed as they stand there: {count} reductions and "
        "{grams} g certified, {excluded} reductions excluded.",
        "其所列 {lots} 个批次均已如数结清：核证 {count} 项减排量，共 {grams} 克，"
        "排除 {excluded} 项。",
    ),
    "check-units": (
        "At the checkpoint the {units} units {first} to {last} of {series} are {status}, and "
        "owned by {owner}.",
        "在检查点处，{series} 的第 {first} 至 {last} 号共 {units} 个单位的状态为 {status}，"
        "所有者为 {owner}。",
    ),
    "check-block": (
        "The issuance stands in block {height}, which ends at {size} entries.",
        "该签发位于第 {height} 块，该块止于第 {size} 条。",
    ),
    "check-seed": (
        "Nobody could choose the sample: its seed hangs on cosignatures ({names}) and on the "
        "offer's nonce ({nonce}).",
        "无人能选定样本：其种子取决于会签（{names}）及要约随机数（{nonce}）。",
    ),
    "check-unseeded": (
        "The seed of the sample follows from it ({names}; nonce {nonce}). Neither a quorum's "
        "cosignatures nor a nonce that you gave are in it: the sample proves nothing against the "
        "operator.",
        "样本的种子由此得出（{names}；随机数 {nonce}）。其中既无法定人数的会签，"
        "也无您给出的随机数：样本对运营方不构成任何证明。",
    ),
    "nonce-differs": (
        "The offer does not have the nonce that you gave.",
        "要约所载并非您给出的随机数。",
    ),
    "check-sample": (
        "{draws} draws by grams, {counted} of which count, fell on {reductions} reductions: each "
        "is recorded, in its lot, as its methodology allows, and holds its claims alone. A share "
        "of {share} % of bad grams or more is found with 99.9 % certainty, even by the best of "
        "{tries} seeds.",
        "按克数抽取 {draws} 次（计入 {counted} 次），落在 {reductions} 项减排量上：每项均已记录、"
        "在其批次之内、符合方法学，且独自持有其权利主张。若不实克数占比达 {share}% 或以上，"
        "即使有人从 {tries} 个种子中择优，仍能以 99.9% 的把握发现。",
    ),
    "certificate-valid": (
        "VALID. As of {time} units {first} to {last} of {series} are {status}, owned by {owner}. "
        "The sample of {draws} draws finds a share of {share} % of bad tonnes or more with 99.9 % "
        "certainty, granting {tries} tries to whoever could influence its seed.",
        "有效。截至 {time}，{series} 第 {first} 至 {last} 号单位状态为 {status}，所有者为 {owner}。"
        "{draws} 次抽样能以 99.9% 的把握发现占比 {share}% 或以上的不实吨数，"
        "已计入可能影响种子者的 {tries} 次尝试。",
    ),
    "certificate-valid-unseeded": (
        "VALID. As of {time} units {first} to {last} of {series} are {status}, owned by {owner}. "
        "The sample proves nothing against the operator, who could choose its seed: neither a "
        "quorum's cosignatures nor a nonce that you gave are in it. Against others its {draws} "
        "draws find a share of {share} % of bad tonnes or more with 99.9 % certainty, granting "
        "{tries} tries.",
        "有效。截至 {time}，{series} 第 {first} 至 {last} 号单位状态为 {status}，所有者为 {owner}。"
        "样本对运营方不构成任何证明：其种子可由运营方选定，既无法定人数的会签，也无您给出的随机数。"
        "对其他各方，{draws} 次抽样能以 99.9% 的把握发现占比 {share}% 或以上的不实吨数，"
        "已计入 {tries} 次尝试。",
    ),
    "authority-not-named": (
        "No definition of {scenario} that is shown names {authority} as its authority.",
        "所示 {scenario} 的定义均未载明 {authority} 为其签发机构。",
    ),
    "certificate-other-certification": (
        "The certification shown is not the one that the issuance is from.",
        "所示核证并非该签发所依据者。",
    ),
    "certification-withdrawn": (
        "The certification does not stand at the checkpoint; it has been withdrawn.",
        "该核证在检查点处已不成立，业经撤回。",
    ),
    "certificate-open": (
        "The books of the days up to {until} are not closed.",
        "{until} 之前的账目尚未结清。",
    ),
    "certificate-lots": (
        "The lots or the exclusions shown are not those of the certification.",
        "所示批次或排除项与核证不符。",
    ),
    "units-not-issued": (
        "The units are not among those of this issuance, {series} {first} to {last}.",
        "这些单位不在本次签发之列（{series} 第 {first} 至 {last} 号）。",
    ),
    "units-other-origin": (
        "The units come from another issuance.",
        "这些单位出自另一次签发。",
    ),
    "block-not-own": (
        "The checkpoint of {size} entries does not end the block of the issuance.",
        "{size} 条的检查点并非该签发所在块的终点。",
    ),
    "sample-twice": (
        "The file shows a submission or a reduction twice.",
        "文件重复出示了某份提交或某笔减排量。",
    ),
    "sample-empty": (
        "Every draw falls on what the certification excludes.",
        "所有抽取均落在核证所排除的减排量上。",
    ),
    "checkpoint-not-needed": (
        "The checkpoint of {size} entries is neither the ledger's last, of {last}, nor that of the "
        "issuance's block, of {own}.",
        "{size} 条的检查点既非账本最新者（{last} 条），也非该签发所在块者（{own} 条）。",
    ),
    "units-two-holdings": (
        "These units are not held as one: only {first} to {last} are. Write a certificate for "
        "each part.",
        "这些单位并非同一持有：仅第 {first} 至 {last} 号同属一笔；请分别出具证书。",
    ),
    "units-not-of-issuance": (
        "These units were brought in from another registry: there is no issuance here to certify.",
        "这些单位由其他登记处存入，此处没有可出具证书的签发。",
    ),
    "lot-not-recorded": (
        "A closed lot holds a reduction that is not recorded: the ledger is not as it should be.",
        "某已结清批次含有未登记的减排量：账本状态不正常。",
    ),
    "certificate-too-large": (
        "The certificate would have {size} bytes; {limit} are the most. Draw fewer samples.",
        "证书将达 {size} 字节，上限为 {limit} 字节；请减少抽样次数。",
    ),
    "certificate-withdrawn": (
        "The certification behind these units has been withdrawn: there is no certificate of them.",
        "这些单位所依据的核证已被撤回，无法出具证书。",
    ),
    "certificate-written": (
        "Certificate of units {first} to {last} of {series} written to {path} ({size} bytes): "
        "{draws} draws, {reductions} reductions.",
        "{series} 第 {first} 至 {last} 号单位的证书已写入 {path}（{size} 字节）：抽取 {draws} 次，"
        "减排量 {reductions} 项。",
    ),
    # --- books (verifier/books.py, api/books.py) ---
    "check-book-definitions": (
        "In force on the days in question: scenarios {scenarios}; methodologies {versions}.",
        "相关日期有效的场景：{scenarios}；方法学：{versions}。",
    ),
    "check-book-submissions": (
        "{count} submissions are in the log, each signed by {platform} with a key and a role that "
        "it had then.",
        "{count} 份提交均在日志中，每份均由 {platform} 以其当时持有的密钥和角色签署。",
    ),
    "check-book-activities": (
        "{count} reductions are recorded in them: each activity names one of the pseudonyms, and "
        "its reduction is exactly what the methodology gives for it.",
        "其中登记了 {count} 笔减排量：每项活动均载有所列假名之一，其减排量与方法学所得完全一致。",
    ),
    "check-book-claims": (
        "Not counted twice: all {count} claims of these reductions are held, each by its own "
        "reduction, and no other claim reaches into them.",
        "未重复计入：这些减排量的全部 {count} 项权利主张均由各自减排量持有，且无其他主张与之重叠。",
    ),
    "check-book-total": (
        "In all {count} reductions, {grams} g of CO2 equivalent, {points} points.",
        "合计 {count} 笔减排量、{grams} 克二氧化碳当量、{points} 积分。",
    ),
    "check-book-behaviour": (
        "Of these {scenario}, by {methodology}: {count} reductions, {grams} g, {points} points.",
        "其中 {scenario}（{methodology}）：{count} 笔、{grams} 克、{points} 积分。",
    ),
    "check-book-month": (
        "Of these in {month}: {count} reductions, {grams} g, {points} points.",
        "其中 {month}：{count} 笔、{grams} 克、{points} 积分。",
    ),
    "book-valid": (
        "VALID. {platform} recorded these {count} reductions of {grams} g and {points} points for "
        "the pseudonyms named; none is counted twice, and the books of their days are closed: it "
        "is final. It does not show that these are all, nor what others recorded, nor whose the "
        "pseudonyms are.",
        "有效。{platform} 为所列假名登记了这 {count} 笔减排量，共 {grams} 克、{points} 积分；"
        "均未重复计入，相关日期账目已结清，结论为最终。"
        "本文件不证明这些即为全部，不证明其他平台登记了什么，也不证明假名属于谁。",
    ),
    "book-provisional": (
        "VALID, BUT PROVISIONAL. As of {time} {platform} had recorded these {count} reductions of "
        "{grams} g and {points} points for the pseudonyms named, none counted twice; until the "
        "books of their days are closed, they can still be voided. It does not show that these "
        "are all, nor what others recorded, nor whose the pseudonyms are.",
        "有效，但属暂定。截至 {time}，{platform} 已为所列假名登记了这 {count} 笔减排量，共 {grams} "
        "克、{points} 积分，均未重复计入；在相关日期账目结清之前仍可能被作废。"
        "本文件不证明这些即为全部，不证明其他平台登记了什么，也不证明假名属于谁。",
    ),
    "book-subjects": (
        "A book names 1 to {limit} pseudonyms, 32 hexadecimal digits each, in order, none twice.",
        "账簿须列出 1 至 {limit} 个假名，每个为 32 位十六进制数字，按序排列且不重复。",
    ),
    "book-too-large": (
        "A book holds at most {limit} reductions; restrict its days.",
        "一份账簿最多容纳 {limit} 笔减排量，请缩小日期范围。",
    ),
    "book-empty": (
        "{platform} has nothing recorded for these pseudonyms on these days.",
        "{platform} 在这些日期没有为这些假名登记任何减排量。",
    ),
    "book-order": (
        "The book does not stand in the order of the log.",
        "账簿未按日志顺序排列。",
    ),
    "book-other-subject": (
        "The activity {id} does not name one of the book's pseudonyms.",
        "活动 {id} 未载有本账簿所列假名。",
    ),
    "book-other-day": (
        "The activity {id} is not of the book's days.",
        "活动 {id} 不在本账簿的日期范围内。",
    ),
    "book-written": (
        "Book written to {path} ({size} bytes): {count} reductions.",
        "账簿已写入 {path}（{size} 字节）：{count} 笔减排量。",
    ),
    # --- the page of a certificate (verifier/page.py) ---
    "certificate-title": ("Certificate of carbon reduction units", "碳减排单位证书"),
    "certificate-digest": (
        "SHA-256 of the certificate file; the code holds the same.",
        "证书文件的 SHA-256；二维码内容与之相同。",
    ),
    "certificate-facts": ("What it says", "内容"),
    "certificate-checks": ("What was checked", "检查项目"),
    "certificate-lots-listed": (
        "Lots: reductions, grams, Merkle root",
        "批次：项数、克数、默克尔根",
    ),
    "certificate-again": (
        "This page is only what a check printed. Whoever relies on it checks the file again: "
        "tally-verify check FILE --policy POLICY.",
        "本页仅为一次检查的打印结果。采信者应对文件重新检查："
        "tally-verify check FILE --policy POLICY。",
    ),
    "page-of-certificate": (
        "Only a certificate that can be read has a page.",
        "仅可读取的证书才有页面。",
    ),
    "page-needs-segno": (
        "The QR code on the page needs the package segno: pip install 'carbon-tally[page]'.",
        "页面上的二维码需要软件包 segno：pip install 'carbon-tally[page]'。",
    ),
    "fact-accreditation": ("accreditation", "认可"),
    "fact-assurance": ("assurance", "保证程度"),
    "fact-counted": ("draws that count", "计入次数"),
    "fact-criteria": ("criteria", "准则"),
    "fact-date": ("date", "日期"),
    "fact-declarations": ("declarations", "声明事项"),
    "fact-draws": ("draws", "抽取次数"),
    "fact-en": ("English", "英文"),
    "fact-exclusions": ("exclusions", "排除项数"),
    "fact-id": ("id", "标识"),
    "fact-materiality": ("materiality, percent", "重要性（百分比）"),
    "fact-opinion": ("opinion", "意见"),
    "fact-reductions": ("reductions shown", "出示项数"),
    "fact-reference": ("reference", "编号"),
    "fact-report": ("report (SHA-256)", "报告（SHA-256）"),
    "fact-sampling-plan": ("sampling plan (SHA-256)", "抽样方案（SHA-256）"),
    "fact-scope": ("scope", "范围"),
    "fact-seed": ("seed", "种子"),
    "fact-share": ("share that is found, percent", "可发现占比（百分比）"),
    "fact-source": ("source", "来源"),
    "fact-standard": ("standard", "标准"),
    "fact-statement": ("statement", "声明"),
    "fact-table": ("table", "表"),
    "fact-title": ("title", "名称"),
    "fact-tries": ("tries granted", "计入尝试次数"),
    "fact-verifier": ("verifier", "核证机构"),
    "fact-version": ("version", "版本"),
    "fact-zh": ("Chinese", "中文"),
    "assurance-limited": ("limited", "有限保证"),
    "assurance-reasonable": ("reasonable", "合理保证"),
    "fact-account": ("owner's account", "所有者账户"),
    "fact-authority": ("issued by", "签发机构"),
    "fact-carried-in": ("grams carried in", "结转入克数"),
    "fact-carried-out": ("grams carried out", "结转出克数"),
    "fact-certification": ("certification", "核证"),
    "fact-cosigned-by": ("cosigned by", "会签者"),
    "fact-count": ("reductions certified", "核证减排量项数"),
    "fact-delegation": ("proof of delegation (SHA-256), as stated", "授权证明（SHA-256），据陈述"),
    "fact-exchange": ("locked for", "锁定予"),
    "fact-expires": ("locked until", "锁定至"),
    "fact-first": ("first serial number", "首号"),
    "fact-from": ("period from", "期间起"),
    "fact-grams": ("grams certified", "核证克数"),
    "fact-last": ("last serial number", "末号"),
    "fact-ledger": ("ledger", "账本"),
    "fact-methodologies": ("methodology", "方法学"),
    "fact-nonce": ("offer's nonce", "要约随机数"),
    "fact-notice": ("public notice", "公示"),
    "fact-origin": ("log", "日志"),
    "fact-owner": ("owner", "所有者"),
    "fact-platform": ("platform", "平台"),
    "fact-registry": ("registry", "登记处"),
    "fact-sample": ("sample", "样本"),
    "fact-scenario": ("scenario", "场景"),
    "fact-series": ("series", "系列"),
    "fact-size": ("checkpoint, entries", "检查点（条数）"),
    "fact-status": ("status at the checkpoint", "检查点处的状态"),
    "fact-time": ("checkpoint, time", "检查点（时间）"),
    "fact-units": ("units", "单位数"),
    "fact-until": ("period until, not included", "期间止（不含）"),
    "fact-vintage": ("vintage", "年份"),
    "policy-line": (
        "Line {line} of the policy cannot be used: {reason}",
        "策略第 {line} 行无法使用：{reason}",
    ),
    "checkpoint-log-unknown": (
        "No log of the policy has signed the checkpoint of {origin}.",
        "策略中没有任何日志签署过 {origin} 的检查点。",
    ),
    "link-policy": (
        "The link at {size} entries shows none of the witness policies that were in force.",
        "规模为 {size} 条的链接所示并非任何生效过的见证策略。",
    ),
    "policies-gap": (
        "The witness policies do not follow each other without a gap, at entry {index}.",
        "见证策略在第 {index} 条处未能前后相接。",
    ),
    "policies-many": (
        "The file has more than {most} entries under {field}.",
        "文件中 {field} 的条目超过 {most} 项。",
    ),
    "policy-later": (
        "A later witness policy is in force at this checkpoint, and nothing in the file leads to "
        "it from the policy in hand.",
        "此检查点处已有更新的见证策略生效，而文件中没有任何内容由手中的策略通向它。",
    ),
    "link-order": (
        "The link at {size} entries does not stand in the order of the log, up to this checkpoint.",
        "规模为 {size} 条的链接不符合日志截至此检查点的次序。",
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
    # Audits (verifier/sources.py, logs.py, audit_state.py, replay.py, audit.py).
    "source-url": (
        "{url} is not an address that begins with http:// or https://.",
        "{url} 不是以 http:// 或 https:// 开头的地址。",
    ),
    "source-missing": ("The source has no {path}.", "来源没有 {path}。"),
    "source-too-long": (
        "{path} of the source has more than the {limit} bytes that it can have.",
        "来源的 {path} 超过其上限 {limit} 字节。",
    ),
    "source-not-a-file": (
        "{path} of the source is not a file below its folder.",
        "来源的 {path} 不是其文件夹内的文件。",
    ),
    "source-refused": (
        "The source does not let us read {path} (HTTP {status}): ask for the right to.",
        "来源不允许读取 {path}（HTTP {status}）；请申请权限。",
    ),
    "source-unreachable": (
        "{path} cannot be read from the source: {reason}. Nothing is decided; try again later.",
        "无法从来源读取 {path}：{reason}。尚无结论，请稍后重试。",
    ),
    "log-root-differs": (
        "The log's tiles do not give the root that the checkpoint of size {size} signs.",
        "日志的瓦片不能得出大小为 {size} 的检查点所签署的根。",
    ),
    "entry-differs": (
        "What the source gives as entry {index} is not the entry that the checkpoint signs.",
        "来源给出的第 {index} 条并非检查点所签署的那一条。",
    ),
    "entry-rewritten": (
        "Entry {index} is not the one that an earlier audit saw: the log was rewritten, or shows "
        "different histories.",
        "第 {index} 条与先前审计所见不同：日志被改写，或出示了不同的历史。",
    ),
    "reductions-withheld": (
        "The source has no file of the reductions with the signed root {root}: they are withheld.",
        "来源没有所签署的根 {root} 的减排量文件：这些减排量被扣留。",
    ),
    "activities-withheld": (
        "The source has no file with an activity for each reduction of the root {root}.",
        "来源没有与根 {root} 的每项减排量一一对应的活动文件。",
    ),
    "activity-other": (
        "The activity at position {position} does not give the reduction that was submitted.",
        "位置 {position} 的活动不能得出所提交的减排量。",
    ),
    "activities-not-erased": (
        "An activity of this submission is not there, and no statement of the log erases it.",
        "本次提交的一项活动缺失，而日志中没有任何声明将其删除。",
    ),
    "audit-not-sealed": (
        "An audit is saved at a seal alone; entry {size} does not follow one.",
        "审计仅在封印处保存；第 {size} 条之前并非封印。",
    ),
    "audit-process-ended": (
        "A process that read ahead for this audit ended before its time (status {status}); nothing "
        "is decided. Run the audit again, or with --processes 1.",
        "为本次审计预读的一个进程提前结束（状态 {status}），未得出任何结论。"
        "请重新审计，或使用 --processes 1。",
    ),
    "audit-state-busy": (
        "Another audit is using the state in {path}.",
        "另一项审计正在使用 {path} 中的状态。",
    ),
    "audit-state-unreadable": (
        "The audit's state in {path} cannot be used: {reason}. Remove it to begin anew.",
        "无法使用 {path} 中的审计状态：{reason}。删除后可重新开始。",
    ),
    "audit-passed": (
        "PASSED. All {size} entries of {origin} are as the rules say: {recorded} reductions "
        "recorded, {refused} refused, {voided} voided, {grams} g in all; books closed before "
        "{closed_until}; last seal {time}.",
        "通过。{origin} 的全部 {size} 条均符合规则：记录 {recorded} 项减排量，拒绝 {refused} 项，"
        "作废 {voided} 项，合计 {grams} 克；{closed_until} 之前的账已关闭；最后封印于 {time}。",
    ),
    "audit-activities": (
        "{activities} reductions were computed again from their activities.",
        "{activities} 项减排量已根据其活动重新计算。",
    ),
    "audit-unwitnessed": (
        "The policy's quorum has not cosigned this checkpoint.",
        "策略所要求的法定数量尚未会签该检查点。",
    ),
    "audit-failed": ("FAILED. {reason}", "未通过。{reason}"),
    "audit-failed-at": (
        "FAILED at entry {index} ({kind}). {reason}",
        "在第 {index} 条（{kind}）未通过。{reason}",
    ),
    "audit-evidence": ("The evidence is in {path}.", "证据保存于 {path}。"),
    "audit-progress": (
        "entry {entry} of {size} · {reductions} reductions · {rate} a second · {left} left",
        "第 {entry} 条，共 {size} 条 · {reductions} 项减排量 · 每秒 {rate} 项 · 剩余 {left}",
    ),
    # Evidence (verifier/evidence.py).
    "check-evidence-entry": (
        "Entry {index} is as the file gives it under the checkpoint of {size} entries.",
        "在共 {size} 条的检查点之下，第 {index} 条与文件所载一致。",
    ),
    "check-evidence-wrong": (
        "What the file says of the entry ({error}) is not contradicted by it.",
        "文件对该条的指称（{error}）与该条并不矛盾。",
    ),
    "check-evidence-rewritten": (
        "Under another checkpoint of the log, another entry stood at {index}.",
        "在该日志的另一检查点之下，第 {index} 条是另一内容。",
    ),
    "check-evidence-fork": (
        "The log of {second} entries does not begin with the log of {first} entries.",
        "共 {second} 条的日志并非以共 {first} 条的日志为开头。",
    ),
    "check-evidence-cosigned-both": (
        "Both histories were cosigned by: {names}.",
        "两份历史均由下列会签者会签：{names}。",
    ),
    "check-evidence-rollback": (
        "The checkpoint that was shown later has {second} entries, the one before {first}.",
        "后出示的检查点有 {second} 条，先前的有 {first} 条。",
    ),
    "check-evidence-freeze": (
        "The seal says {time}; at {seen} it was more than {bound} s old.",
        "封印时间为 {time}；至 {seen} 已超过 {bound} 秒。",
    ),
    "evidence-not-shown": (
        "The entry is not wrong in the way that the file says: {error}.",
        "该条并无文件所称的错误：{error}。",
    ),
    "evidence-one-history": (
        "Both are of one history.",
        "二者属于同一历史。",
    ),
    "evidence-fresh": (
        "At {seen} the seal of {time} was not older than {bound} s.",
        "至 {seen}，时间为 {time} 的封印并未超过 {bound} 秒。",
    ),
    "evidence-entry-proved": (
        "PROVED. The log {origin} signed entry {index}, which it could not hold: {error}.",
        "已证明。日志 {origin} 签署了不应存在的第 {index} 条：{error}。",
    ),
    "evidence-entry-stated": (
        "STATED. The log {origin} has signed what the file shows. That entry {index} is wrong "
        "({error}) is found by a replay alone: audit the ledger.",
        "仅为陈述。文件所示确由日志 {origin} 签署；第 {index} 条有误（{error}）"
        "只能由重放得出：请审计账本。",
    ),
    "evidence-fork-proved": (
        "PROVED. The log {origin} signed two histories with one key, at {first} and at {second} "
        "entries.",
        "已证明。日志 {origin} 以同一密钥签署了两份历史，分别为 {first} 条和 {second} 条。",
    ),
    "evidence-fork-of-keys": (
        "PROVED. Two keys of the log {origin} have signed two histories, at {first} and at "
        "{second} entries. Which of them had the right, an audit of each says.",
        "已证明。日志 {origin} 的两个密钥签署了两份历史，分别为 {first} 条和 {second} 条。"
        "何者有权，须分别审计。",
    ),
    "evidence-rollback-proved": (
        "PROVED. The log {origin} went back: of the seals under {first} and under {second} "
        "entries, the later one has no greater height.",
        "已证明。日志 {origin} 发生回退：在 {first} 条与 {second} 条之下的两个封印中，"
        "时间较晚者高度并未增加。",
    ),
    "evidence-rollback-cosigned": (
        "PROVED. Cosigners went back: {cosigners} cosigned the log {origin} at {first} entries, "
        "and at a later time at {second}. Of the log itself it proves nothing.",
        "已证明。会签者发生回退：{cosigners} 先在 {first} 条处、其后又在 {second} 条处会签日志 "
        "{origin}。这并不证明日志本身有误。",
    ),
    "evidence-rollback-stated": (
        "STATED. The log {origin} has signed both checkpoints. That {first} entries were shown at "
        "{then}, and only {second} at {now}, is the word of whoever wrote the file.",
        "仅为陈述。两个检查点均由日志 {origin} 签署；{then} 出示 {first} 条而 {now} 仅出示 "
        "{second} 条，则仅凭文件作者之言。",
    ),
    "evidence-freeze-stated": (
        "STATED. The log {origin} sealed this at {time}. That nothing newer was shown at {seen} "
        "is the word of whoever wrote the file.",
        "仅为陈述。日志 {origin} 于 {time} 封印；至 {seen} 未出示更新者，则仅凭文件作者之言。",
    ),
    "evidence-freeze-cosigned": (
        "STATED. The log {origin} sealed this at {time}, and {names} cosigned it more than {bound} "
        "s later, by their clocks. That there was nothing newer, they do not say.",
        "仅为陈述。日志 {origin} 于 {time} 封印，{names} 依其时钟在逾 {bound} 秒之后会签。"
        "当时是否已有更新者，会签者并未说明。",
    ),
    # Witnesses and auditors (verifier/witness.py, verifier/auditor.py).
    "offer-malformed": (
        "The offer of a checkpoint cannot be read: {reason}.",
        "提交的检查点请求无法读取：{reason}。",
    ),
    "witness-origin-unknown": (
        "This witness does not know the log {origin}.",
        "本见证方不认识日志 {origin}。",
    ),
    "witness-size-differs": (
        "The offer goes on from size {old}; the size cosigned last is {size}.",
        "该请求自大小 {old} 起续接，而最近会签的大小为 {size}。",
    ),
    "auditor-one-log": (
        "The policy names the logs of {count} origins; an auditor is for one.",
        "策略列出了 {count} 个来源的日志；一个审计方只对应一个。",
    ),
    "auditor-refuses": (
        "This auditor has found the log wrong ({reason}) and kept the evidence: it cosigns nothing "
        "more until whoever runs it decides.",
        "本审计方已发现该日志有误（{reason}）并保存证据：在其运营者作出决定之前不再会签。",
    ),
    "auditor-seal-time": (
        "The last seal is of {time} (unix seconds), too far from the auditor's clock, {now}.",
        "最后的封印时间为 {time}（Unix 秒），与审计方时钟 {now} 相差过大。",
    ),
    "auditor-stopping": (
        "The auditor is being stopped; offer it again in {retry_after} seconds.",
        "审计方正在停止；请在 {retry_after} 秒后再次提交。",
    ),
    "auditor-busy": (
        "The auditor is busy with earlier checkpoints; offer it again in {retry_after} seconds.",
        "审计方正忙于先前的检查点；请在 {retry_after} 秒后再次提交。",
    ),
    "auditor-disk": (
        "The auditor cannot write to its folder: {reason}.",
        "审计方无法写入其文件夹：{reason}。",
    ),
    "auditor-listens": (
        "{name} ({mode}) listens on {url}. Its key: {vkey}",
        "{name}（{mode}）正在监听 {url}，其密钥为：{vkey}",
    ),
    "reader-key": (
        "Reads are signed with both of --as and --as-key, or with neither.",
        "签署读取请求须同时给出 --as 与 --as-key，或都不给。",
    ),
    "listen-address": (
        "{value} is not HOST:PORT.",
        "{value} 不是“主机:端口”的形式。",
    ),
    "listen-refused": (
        "It cannot listen on {value}: {reason}.",
        "无法在 {value} 上监听：{reason}。",
    ),
    # Monitors (verifier/monitor.py).
    "monitor-alarm": (
        "ALARM from {places}. {said} The evidence is in {path}.",
        "来自 {places} 的警报。{said}证据保存于 {path}。",
    ),
    "monitor-one": (
        "One history of {origin}, as far as {count} places show: up to {size} entries.",
        "{count} 处所示为 {origin} 的同一份历史，至第 {size} 条。",
    ),
    "monitor-uncompared": (
        "Not compared with any source's log yet: what {places} shows.",
        "{places} 所示尚未与任何来源的日志比对。",
    ),
    "monitor-trouble": (
        "{place} shows nothing of use now: {reason}",
        "{place} 目前未能提供可用内容：{reason}",
    ),
    "monitor-nothing": (
        "No place shows anything: nothing is decided.",
        "没有任何一处给出内容：尚无结论。",
    ),
    "monitor-nothing-named": (
        "Name a source, a witness, a note or a bundle.",
        "请至少指定一个来源、见证者、检查点或证明包。",
    ),
    # Succession (api/succession.py, api/commands/succeeding.py).
    "succession-file": (
        "The file is not a proposal that gives the operator another key, and approvals of it.",
        "该文件不是一项更换运营者密钥的提案及其批准。",
    ),
    "succession-approved": (
        "Approved in {path}: from entry {size} of the log on, {id} seals with the key {key}.",
        "已在 {path} 中批准：自日志第 {size} 条起，{id} 以密钥 {key} 封印。",
    ),
    "succession-waits": (
        "{missing} more governors have to approve it: pass the file on.",
        "还需 {missing} 位治理者批准：请转交该文件。",
    ),
    "succession-enough": (
        "That is enough: whoever has this key can open the ledger again with tally succeed.",
        "批准已足够：持有该密钥者可用 tally succeed 重新开启账本。",
    ),
    "succession-not-approved": (
        "{missing} more governors have to approve that the operator has this key.",
        "还需 {missing} 位治理者批准运营者使用该密钥。",
    ),
    "succession-done": (
        "Taken over: {size} entries, each replayed. Block {height} is sealed with the new key, at "
        "log size {new}.",
        "已接管并逐条重放 {size} 条。第 {height} 块已以新密钥封印，日志大小 {new}。",
    ),
    "succession-unwitnessed": (
        "The policy's quorum has not cosigned the store's checkpoint. If another store goes "
        "further, or other auditors have cosigned more, do not go on with this one.",
        "策略所要求的法定数量未会签该存储的检查点。若另有存储更完整，或其他审计者已会签更多，"
        "请勿以此继续。",
    ),
    "succession-activities": (
        "{count} activities are not in the store. Each is an empty line here, as if erased; an "
        "audit with --activities names the first. If there is a copy of the old ledger's folder "
        "activities, put it in the place of this one's.",
        "存储中缺少 {count} 项活动，此处各为一空行，如同已删除；带 --activities 的审计会指出"
        "第一项。若有副本，请以旧账本的 activities 文件夹替换。",
    ),
    "progress-taking-over": ("entries", "条目"),
    # Samples (verifier/samples.py).
    "nonce-length": (
        "A nonce has {least} to {most} bytes, in hexadecimal.",
        "随机数须为 {least} 至 {most} 字节，以十六进制书写。",
    ),
    "sample-draws": (
        "A sample has 1 to {most} draws.",
        "样本须抽取 1 至 {most} 次。",
    ),
    "sample-lots": (
        "A sample is of one lot at least, in their order.",
        "样本至少含一个批次，且须按顺序排列。",
    ),
    "sample-missing": (
        "The sample lacks the reduction at the offset {offset} of its lot, which was drawn.",
        "样本缺少批次内偏移 {offset} 处被抽中的减排量。",
    ),
    "sample-read": (
        "{draws} draws, {count} reductions: all that the nonce draws is here, and nothing else. "
        "Compare the lots with those of the ledger.",
        "抽取 {draws} 次，减排量 {count} 笔：随机数所抽中的均在此，且无其他。请将批次与账本核对。",
    ),
    "sample-not-drawn": (
        "The sample shows a reduction that was not drawn.",
        "样本含有未被抽中的减排量。",
    ),
    # --- signed requests and access tokens (api/service/signatures.py, api/access_tokens.py) ---
    "suite-not-for-requests": (
        "Keys of the suite {suite} sign no requests.",
        "套件 {suite} 的密钥不用于签署请求。",
    ),
    "request-signature-malformed": (
        "The request's signature cannot be read: {reason} is missing or not as it must be.",
        "无法读取请求的签名：{reason} 缺失或不符合要求。",
    ),
    "request-signature-covers": (
        "The request's signature does not cover {components}.",
        "请求的签名没有覆盖 {components}。",
    ),
    "request-signature-time": (
        "The request's signature holds from {created} to {expires} (unix seconds), and it is "
        "{time}. It must hold now, and for {limit} seconds at most: sign again, or set the clock.",
        "请求的签名有效期为 {created} 至 {expires}（Unix 秒），现在是 {time}。签名须在当前有效，"
        "且有效期不超过 {limit} 秒：请重新签名或校准时钟。",
    ),
    "request-signature-ledger": (
        "The request's signature was made for another ledger.",
        "该请求的签名是为另一账本所作。",
    ),
    "request-other-host": (
        "The request is signed for {host!r}, which is no name of this server that it knows. Either "
        "somebody passes on what was meant for another, or whoever runs this server has to give it "
        "that name.",
        "该请求是为 {host!r} 签名的，本服务器不知有此名称：或是他人转发了发往别处的请求，"
        "或应由运行者为本服务器配置该名称。",
    ),
    "request-signature-invalid": (
        "The request's signature is not by a key that a participant {participant!r} has now.",
        "该请求的签名并非出自参与方 {participant!r} 当前的密钥。",
    ),
    "request-signature-digest": (
        "The request's Content-Digest is not that of its body.",
        "请求的 Content-Digest 与其内容不符。",
    ),
    "token-malformed": (
        "The access token cannot be read: {reason}.",
        "无法读取访问令牌：{reason}。",
    ),
    "token-expired": (
        "The access token expired at {expires} (unix seconds), and it is {time}.",
        "访问令牌已于 {expires}（Unix 秒）失效，现在是 {time}。",
    ),
    "token-too-long": (
        "The access token expires at {expires} (unix seconds), more than {limit} seconds from now.",
        "访问令牌的失效时间 {expires}（Unix 秒）距现在超过 {limit} 秒。",
    ),
    "token-other-reader": (
        "The access token is for {reader}, who must sign the request.",
        "该访问令牌仅供 {reader} 使用，且须由其签署请求。",
    ),
    "token-missing": (
        "This is opened by an access token of the platform, in the field Authorization.",
        "此内容须凭平台的访问令牌打开，置于 Authorization 字段。",
    ),
    "token-without-subjects": (
        "The access token names no pseudonyms, and so opens no book.",
        "该访问令牌未载明假名，因此不能打开任何账簿。",
    ),
    # --- SCRAPI (api/service/routes/scitt.py) ---
    "submission-elsewhere": (
        "A submission comes with its activities: send both to {path}.",
        "提交须连同其活动一并发送：请发送至 {path}。",
    ),
    "registration-failed": (
        "The statement {id} was refused and is not in the log: {reason}",
        "声明 {id} 已被拒绝，不在日志中：{reason}",
    ),
    "log-key-unknown": (
        "The log never had a key with the kid {kid!r}.",
        "日志从未有过 kid 为 {kid!r} 的密钥。",
    ),
    # --- commands (api/) ---
    # Errors.
    "error": ("Error: {reason}", "错误：{reason}"),
    "usage": ("{reason}", "命令用法有误：{reason}"),
    "time-invalid": (
        "{value!r} is not a time: give unix seconds, or ISO 8601 with its offset from UTC, such as "
        "2026-03-02T12:00:00+08:00.",
        "{value!r} 不是有效时间：请给出 Unix 秒数，或带时区偏移的 ISO 8601 时间，"
        "如 2026-03-02T12:00:00+08:00。",
    ),
    "offset-invalid": (
        "{value!r} is not an offset from UTC such as +08:00.",
        "{value!r} 不是形如 +08:00 的 UTC 偏移。",
    ),
    "pair-invalid": (
        "{value!r} is not of the form NAME=VALUE.",
        "{value!r} 不是“名称=值”的形式。",
    ),
    "number-invalid": (
        "{value!r} is not a whole number, which this line counts in.",
        "{value!r} 不是整数，而此线以整数计。",
    ),
    "zone-unknown": (
        "The time zone {name!r} is not known here; give an IANA name such as Asia/Shanghai, or an "
        "offset such as +08:00.",
        "此处没有时区 {name!r}；请给出 IANA 时区名（如 Asia/Shanghai）或偏移（如 +08:00）。",
    ),
    "encoding-unknown": (
        "The encoding {name!r} is not known.",
        "不认识字符编码 {name!r}。",
    ),
    "file-too-long": (
        "{path} is longer than {limit} bytes.",
        "{path} 超过 {limit} 字节。",
    ),
    "file-unwritable": ("{path} cannot be written: {reason}.", "无法写入 {path}：{reason}。"),
    "secret-unreadable": (
        "{path} holds no secret; make one with: tally key secret FILE",
        "{path} 中没有密钥；请用 tally key secret FILE 生成。",
    ),
    "keys-folder-missing": (
        "Say where the keys are kept: --keys DIR, or the environment variable TALLY_KEYS.",
        "请指明密钥所在目录：--keys DIR，或环境变量 TALLY_KEYS。",
    ),
    "key-missing": (
        "There is no key of {name} at {path}; make one with: tally key new {name} --keys DIR",
        "{path} 处没有 {name} 的密钥；请用 tally key new {name} --keys DIR 生成。",
    ),
    "passphrase-missing": (
        "The key {path} needs its passphrase, and there is no terminal to ask at: set {name}.",
        "密钥 {path} 需要口令，但没有可供输入的终端：请设置 {name}。",
    ),
    "ledger-exists": (
        "{path} holds a ledger already; a ledger is founded once.",
        "{path} 中已有账本；账本只能创立一次。",
    ),
    "database-unreadable": (
        "The ledger's database cannot be used: {reason}.",
        "账本数据库无法使用：{reason}。",
    ),
    "database-not-empty": (
        "There is something in the database already: restore into an empty one.",
        "数据库中已有内容：请恢复到空数据库。",
    ),
    "folder-not-empty": (
        "There is something in {path} already: name a folder that is new or empty.",
        "{path} 中已有内容：请指定新的或空的文件夹。",
    ),
    "backup-missing": (
        "There is no complete backup in {path}: it has no backup.json.",
        "{path} 中没有完整的备份：缺少 backup.json。",
    ),
    "backup-format": (
        "The backup is of format {found}, which this program does not know: use a newer one.",
        "备份格式为 {found}，本程序不认识：请使用较新的程序。",
    ),
    "backup-differs": (
        "The backup is damaged: {what} is not what it should be. Nothing was restored.",
        "备份已损坏：{what} 与应有内容不符。未恢复任何内容。",
    ),
    "database-role-unknown": (
        "The database has no role {role}: create it first.",
        "数据库中没有角色 {role}：请先创建。",
    ),
    "database-needs-postgresql": (
        "Only PostgreSQL has roles, and this ledger is in {found}.",
        "只有 PostgreSQL 有角色，而此账本使用 {found}。",
    ),
    "backup-done": (
        "Backed up block {height}, log size {size}, to {path}.",
        "已备份至 {path}：第 {height} 块，日志大小 {size}。",
    ),
    "restore-done": (
        "Restored block {height}, log size {size}, and checked it. Before it seals again, make "
        "sure that nobody has seen a later checkpoint of this ledger.",
        "已恢复并核对：第 {height} 块，日志大小 {size}。"
        "再次封印之前，请确认无人见过此账本更新的检查点。",
    ),
    "database-upgraded": (
        "The database's tables are of version {version}.",
        "数据库表的版本为 {version}。",
    ),
    "database-granted": (
        "The role {role} may now run the service: it enters and reads, and changes nothing of the "
        "log.",
        "角色 {role} 现可运行服务：可写入和读取，但不能更改日志。",
    ),
    "database-version": (
        "The database's tables are of version {found}; this program needs {known}. Whoever owns "
        "them brings them up to date with `tally database upgrade`; if they are newer, use the "
        "newer program.",
        "数据库表的版本为 {found}，本程序需要 {known}。请由表的所有者执行 "
        "`tally database upgrade` 升级；若版本更新，请使用较新的程序。",
    ),
    "statement-waits": (
        "The statement {id} still waits for a block.",
        "声明 {id} 仍在等待入块。",
    ),
    "key-waits": (
        "{path} waits to be put in force already, and is of the suite {suite}; approve it, or move "
        "it away.",
        "{path} 已在等待生效，且属于套件 {suite}；请批准它，或将其移走。",
    ),
    "seal-key-missing": (
        "The key that {participant} has at log index {index} is not at hand; without it no block "
        "can be sealed.",
        "{participant} 在日志序号 {index} 处的密钥不在手边；没有它便无法封块。",
    ),
    "operator-key-needed": (
        "Without the key of {id} the ledger could not seal another block; rotate it instead.",
        "没有 {id} 的密钥，账本将无法再封块；请改用轮换。",
    ),
    "document-too-early": (
        "The version in force began on {day}; a new one must begin later.",
        "现行版本自 {day} 起生效，新版本须更晚生效。",
    ),
    "reduction-unknown": (
        "No such reduction is recorded, or it has been voided.",
        "没有登记该减排量，或其已作废。",
    ),
    "line-missing": (
        "Name a line: its class and the parts of its name, or --line with its 24 bytes.",
        "请指明一条线：其类别与各部分名称，或用 --line 给出其 24 字节。",
    ),
    "day-missing": (
        "Lines of the class {name} are dated: say the day with --day.",
        "{name} 类的线按日区分：请用 --day 指明日期。",
    ),
    "start-missing": (
        "On a line of the class {name} a moment is needed: give --start.",
        "{name} 类的线需要一个时刻：请给出 --start。",
    ),
    "span-free": (
        "Nobody holds this point of the line (class {name}); prove that with: tally prove free",
        "该 {name} 类线的此处无人持有；可用 tally prove free 证明。",
    ),
    "span-not-possible": (
        "No claim can ever be on this stretch: {reason}",
        "该区段不可能有任何主张：{reason}",
    ),
    "scenario-without-methodology": (
        "No methodology was given for the scenario {scenario}.",
        "没有为场景 {scenario} 给出方法学。",
    ),
    "synthetic-platforms": (
        "The synthetic city has exactly two platforms.",
        "合成城市恰有两个平台。",
    ),
    # Conversion, row by row.
    "csv-unreadable": (
        "The CSV file breaks off at line {line}: {reason}.",
        "CSV 文件在第 {line} 行无法读取：{reason}。",
    ),
    "csv-empty": ("{path} has no header line.", "{path} 没有表头。"),
    "column-missing": (
        "The file has no column {name!r}, which is needed here.",
        "文件缺少所需的列 {name!r}。",
    ),
    "row-cells": (
        "The row has {count} cells where the header has {expected}.",
        "该行有 {count} 个单元格，而表头有 {expected} 个。",
    ),
    "row-times": (
        "It ends ({end}) before it starts ({start}).",
        "其结束（{end}）早于开始（{start}）。",
    ),
    "cell-empty": ("The cell for {field} is empty.", "{field} 的单元格为空。"),
    "cell-time": (
        "{value!r} is not a time in any of the formats of the mapping.",
        "{value!r} 不符合映射所列的任何时间格式。",
    ),
    "cell-number": (
        "{value!r} is not a number that gives a whole quantity.",
        "{value!r} 不能得出整数数量。",
    ),
    "cell-no-pseudonym": (
        "The cell for {field} is no pseudonym of 32 hexadecimal digits.",
        "{field} 的单元格不是 32 位十六进制假名。",
    ),
    "time-ambiguous": (
        "The clocks went back: the local time {value} came twice that day. Say with --ambiguous "
        "which is meant.",
        "时钟回拨：当地时间 {value} 当日出现两次。请用 --ambiguous 指明是哪一次。",
    ),
    "time-skipped": (
        "The clocks went forward: there was no local time {value}.",
        "时钟拨快：当地时间 {value} 并不存在。",
    ),
    "row-passed-over": ("The mapping does not take such rows.", "映射不采用此类行。"),
    "row-repeated": ("It repeats an earlier row.", "该行与前面的某行重复。"),
    "pair-unclosed": ("It begins, and no later row ends it.", "有开始，但其后没有结束它的行。"),
    "pair-unopened": ("It ends, and no earlier row begins it.", "有结束，但此前没有开始它的行。"),
    "pair-too-long": (
        "From its beginning to its end is longer than the mapping allows.",
        "从开始到结束超过映射允许的时长。",
    ),
    "pair-same-place": (
        "It ends where it begins, or one of the two places is not known.",
        "起讫地点相同，或其中一处不详。",
    ),
    # What commands say.
    "ask-passphrase": ("Passphrase of {path}", "{path} 的口令"),
    "doing-check": ("Checking", "正在核对"),
    "doing-convert": ("Converting", "正在转换"),
    "doing-submit": ("Submitting", "正在提交"),
    "init-done": (
        "The ledger {origin} is open, for activities from {day} on. Its id: {id}",
        "账本 {origin} 已开立，接受自 {day} 起的活动。账本标识：{id}",
    ),
    "key-made": ("A key for {id} is in {path}.", "{id} 的密钥已存入 {path}。"),
    "secret-made": (
        "A secret for pseudonyms is in {path}. Whoever has it can find out whose pseudonym is "
        "whose: keep it apart.",
        "假名密钥已存入 {path}。持有者可查出假名对应何人：请单独保管。",
    ),
    "key-rotated": (
        "The key of {id} is rotated, by entry {index} of the log.",
        "{id} 的密钥已轮换，见日志第 {index} 条。",
    ),
    "key-revoked": (
        "The key of {id} is revoked, by entry {index} of the log.",
        "{id} 的密钥已撤销，见日志第 {index} 条。",
    ),
    "proposal-waits": (
        "Proposed: {id}. It waits for {missing} more approvals.",
        "已提案：{id}。尚需 {missing} 份批准。",
    ),
    "proposal-enacted": (
        "Approved and enacted, by entry {index} of the log.",
        "已批准并生效，见日志第 {index} 条。",
    ),
    "participant-enrolled": (
        "{id} is enrolled ({roles}), by entry {index} of the log.",
        "{id} 已登记（{roles}），见日志第 {index} 条。",
    ),
    "document-published": (
        "{id} is published, in force from {day}, by entry {index} of the log.",
        "{id} 已发布，自 {day} 起生效，见日志第 {index} 条。",
    ),
    "issuer-published": (
        "{id} may give numbers on lines of the class {name}, by entry {index} of the log.",
        "{id} 可为 {name} 类的线编号，见日志第 {index} 条。",
    ),
    "policy-published": (
        "The witness policy is published: {quorum} of {count} auditors; by entry {index} of the "
        "log.",
        "见证策略已发布：{count} 个审计方中的 {quorum} 个；见日志第 {index} 条。",
    ),
    "pseudonym-key-made": (
        "The key of pseudonyms from {day} is in {path}; its public part is {key}. It stands in the "
        "ledger once it is published.",
        "自 {day} 起的假名密钥已写入 {path}；其公钥为 {key}。公布后方记入账本。",
    ),
    "pseudonym-key-published": (
        "The key of pseudonyms from {day} is published, by entry {index} of the log.",
        "自 {day} 起的假名密钥已公布，见日志第 {index} 条。",
    ),
    "pseudonyms-rules": (
        "Keys of pseudonyms are known from version {needed} of the rules, and version {version} is "
        "in force: publish the later one first.",
        "假名密钥自规则第 {needed} 版起支持，现行为第 {version} 版；请先公布新版规则。",
    ),
    "rules-published": (
        "Version {version} of the rules is in force from the next entry, by entry {index} of the "
        "log.",
        "规则第 {version} 版自下一条起生效，见日志第 {index} 条。",
    ),
    "history-enrol": (
        "{participant} ({name}) is enrolled: {roles}; with the key {kid}, from index {start}",
        "登记 {participant}（{name}）：{roles}；密钥 {kid}，自序号 {start} 起",
    ),
    "history-rotate": (
        "{participant} has the key {kid} from index {start}",
        "{participant} 自序号 {start} 起使用密钥 {kid}",
    ),
    "history-revoke": (
        "the key {kid} of {participant} ends at index {end}",
        "{participant} 的密钥 {kid} 止于序号 {end}",
    ),
    "history-grant": (
        "{participant} is {role} from index {start}",
        "{participant} 自序号 {start} 起任 {role}",
    ),
    "history-withdraw": (
        "{participant} is {role} no longer, from index {end}",
        "{participant} 自序号 {end} 起不再任 {role}",
    ),
    "history-classes": (
        "{count} classes of lines; issuers: {issuers}",
        "线类 {count} 个；编号方：{issuers}",
    ),
    "history-methodology": (
        "{id}, version {version}, from {day}",
        "{id} 第 {version} 版，自 {day} 起",
    ),
    "history-scenario": (
        "{id}, by {methodology}, from {day}; platforms: {platforms}",
        "{id}，采用 {methodology}，自 {day} 起；平台：{platforms}",
    ),
    "history-policy": (
        "{quorum} of {count} auditors, of whom {faults} may lie; {least} of {witnesses} witnesses",
        "{count} 个审计方中的 {quorum} 个，可容忍 {faults} 个说谎；"
        "{witnesses} 个普通见证方中的 {least} 个",
    ),
    "history-rules": ("version {version} of the rules", "规则第 {version} 版"),
    "history-threshold": (
        "{governors} governors must approve",
        "须 {governors} 名治理方批准",
    ),
    "history-pseudonym-key": (
        "the key {key} makes pseudonyms from {day}",
        "自 {day} 起以密钥 {key} 生成假名",
    ),
    "history-enacted": ("enacted", "已生效"),
    "history-waiting": ("waits", "等待中"),
    "history-expired": ("expired", "已失效"),
    "convert-done": (
        "{rows} rows: {count} activities are in {path}; {refused} rows could not be converted, "
        "{left_out} make no activity.",
        "共 {rows} 行：{path} 中有 {count} 项活动；{refused} 行无法转换，{left_out} 行不构成活动。",
    ),
    "synthetic-done": (
        "SYNTHETIC DATA: nothing of this happened. A city's day, {day}, made up from the seed "
        "{seed}.",
        "合成数据：以下均未真实发生。由种子 {seed} 生成的城市一日（{day}）。",
    ),
    "synthetic-file": ("{path}: {count} activities of {id}", "{path}：{id} 的 {count} 项活动"),
    "synthetic-shared": (
        "{count} rides of {first} are reported by {second} as well, by its own clock.",
        "{first} 的 {count} 次行程也由 {second} 按其自己的时钟上报。",
    ),
    "check-issuers": (
        "Issuers taken as they stand in the file: {issuers}. A ledger has its own list.",
        "编号方按文件所载采用：{issuers}。账本另有其名单。",
    ),
    "check-done": (
        "{count} activities earn {grams} g and {points} points; {refused} earn nothing.",
        "{count} 项活动共得 {grams} 克、{points} 积分；{refused} 项不计入。",
    ),
    "submit-done": (
        "Submissions in the log: {submissions}. Recorded: {recorded} reductions, {grams} g. "
        "Refused: {refused}.",
        "{submissions} 批提交已入日志。已登记：{recorded} 笔减排量，{grams} 克。"
        "被拒：{refused} 笔。",
    ),
    "submit-waits": (
        "{count} reductions wait for a block, in {submissions} submissions: tally seal",
        "{submissions} 批提交的 {count} 笔减排量等待入块：tally seal",
    ),
    "signed-by-whom": (
        "Name the platform who signs with --as, or give a submission that is signed with "
        "--statement; one of them, not both.",
        "请用 --as 指明签名的平台，或用 --statement 给出已签名的提交；二者取一。",
    ),
    "voided-by-whom": (
        "Give the reductions, who signs with --as, and why with --reason; or a void that is signed "
        "with --statement, and nothing else.",
        "请给出减排量，并用 --as 指明签名者、用 --reason 说明原因；"
        "或仅用 --statement 给出已签名的作废声明。",
    ),
    "submit-known": (
        "{count} were sent before, and are left as they are.",
        "{count} 笔此前已提交，保持原样。",
    ),
    "submit-left-out": (
        "{count} activities earn nothing here and are left out:",
        "{count} 项活动在此不计入，已略去：",
    ),
    "submit-prove": (
        "Who holds the first of these stretches is proved by: {command}",
        "其中第一个区段由谁持有，可如此证明：{command}",
    ),
    "line-taken": (
        "This {name} is already claimed by a reduction of {platform}.",
        "该 {name} 已由 {platform} 的一笔减排量占用。",
    ),
    "sealed": (
        "Block {height} is sealed; the log has {size} entries.",
        "第 {height} 块已封，日志共 {size} 条。",
    ),
    "nothing-to-seal": ("Nothing waits.", "没有等待入块的声明。"),
    "voided": (
        "{count} reductions are voided, by entry {index} of the log; anyone may claim the stretch.",
        "{count} 笔减排量已作废，见日志第 {index} 条；其区段可重新主张。",
    ),
    "activity-erased": (
        "The activity behind this reduction is erased; prove the reduction without it.",
        "该减排量背后的活动已删除；请在不披露活动的情况下证明该减排量。",
    ),
    "activities-differ": (
        "The activity at position {position} of submission {index} is not the one that was "
        "submitted; put the ledger's files back from a copy.",
        "提交 {index} 中位置 {position} 的活动并非当初提交的活动；请从备份恢复账本文件。",
    ),
    "currency-invalid": (
        "{value!r} is no currency; write its code of three letters, such as CNY.",
        "{value!r} 不是货币；请写三个字母的代码，如 CNY。",
    ),
    "amount-invalid": (
        "{value!r} is no amount in {currency}; write a number with at most {places} decimals.",
        "{value!r} 不是 {currency} 金额；请写最多 {places} 位小数的数字。",
    ),
    "payout-suffix": (
        "Shares are written as .csv or .json; {path} is neither.",
        "份额以 .csv 或 .json 写出；{path} 两者都不是。",
    ),
    "payout-nothing": (
        "The issuance {id} entered no unit, so there is nothing to share; its grams are paid with "
        "the issuance that uses them.",
        "签发 {id} 没有产生单位，无可分配；其克数随使用它们的签发支付。",
    ),
    "payout-done": (
        "Shared {amount} {currency} of {units} units among {subjects} subjects, {reserve} to the "
        "reserve: {path}. The file is private.",
        "已将 {units} 个单位的 {amount} {currency} 分配给 {subjects} 个主体，"
        "{reserve} 入准备金：{path}。该文件属隐私数据。",
    ),
    "verifier-needed": (
        "{participant} is no verifier of this ledger.",
        "{participant} 不是本账本的核证机构。",
    ),
    "sample-done": (
        "Drew {draws} times from {lots} lots of {grams} g: {reductions} reductions for {id}, of "
        "{erased} of which the activity is erased: {path}. The file is private.",
        "已从 {lots} 个批次、共 {grams} 克中抽取 {draws} 次：供 {id} 核查的减排量 {reductions} "
        "笔，其中 {erased} 笔的活动已删除：{path}。该文件属隐私数据。",
    ),
    "erased": (
        "Erased the activities of {count} reductions; the reductions and their proofs stay. What "
        "was not paid out yet goes to the reserve. Copies elsewhere are yours to erase: backups, "
        "and files that were handed out.",
        "已删除 {count} 笔减排量的活动；减排量及其证明保留。尚未支付的份额归入准备金。"
        "其他副本须自行删除：备份，以及已交付他人的文件。",
    ),
    "erased-again": (
        "Erased {count} activities that were erased before and had come back.",
        "已再次删除 {count} 条此前删除、后又出现的活动。",
    ),
    "erased-later": (
        "{count} reductions are of days that are not certified: their activities stay until then.",
        "另有 {count} 笔减排量所在日期未经核证：其活动保留至核证之后。",
    ),
    "erased-what": (
        "Name reductions or --subject, and --reason; or nothing at all, to erase again what has "
        "come back.",
        "请指明减排量或 --subject，并给出 --reason；或什么都不写，以再次删除又出现的活动。",
    ),
    "erase-too-early": (
        "{day} is not certified, so the activity of the reduction with the holder {holder} cannot "
        "be erased yet.",
        "{day} 未经核证，持有者为 {holder} 的减排量的活动尚不能删除。",
    ),
    "certification-unknown": (
        "The statement {id} is no certification.",
        "声明 {id} 不是核证。",
    ),
    "issuance-unknown": ("The statement {id} is no issuance.", "声明 {id} 不是签发。"),
    "units-unknown": (
        "There is no unit {serial} of the series {series!r} in this ledger.",
        "本账本中没有系列 {series!r} 的第 {serial} 号单位。",
    ),
    "certified": (
        "Certified at index {index}, {opinion}: {lots} lots, less {excluded} reductions that are "
        "excluded; {count} reductions of {grams} g in all.",
        "已于序号 {index} 核证，意见为{opinion}：共 {lots} 个批次，排除 {excluded} 笔，"
        "核证 {count} 笔减排量、{grams} 克。",
    ),
    "opinion-unmodified": ("unmodified", "无保留"),
    "opinion-modified": ("modified", "有保留"),
    "opinion-adverse": ("adverse", "否定"),
    "opinion-disclaimed": ("disclaimed", "无法表示意见"),
    "withdrawn": (
        "The certification of {since} to {last} was withdrawn at index {index}.",
        "{since} 至 {last} 的核证已于序号 {index} 撤回。",
    ),
    "issued": (
        "Issued at index {index}: {units} units of {series}, {first} to {last}, to {owner}; {left} "
        "g are carried.",
        "已于序号 {index} 签发 {series} 的 {units} 个单位（{first} 至 {last}）给 {owner}；"
        "结转 {left} 克。",
    ),
    "issued-none": (
        "Issued at index {index}: it makes no unit, and {left} g are carried.",
        "已于序号 {index} 签发：不足一个单位，结转 {left} 克。",
    ),
    "corrected": (
        "Corrected at index {index} by {grams} g; {left} g are carried.",
        "已于序号 {index} 更正 {grams} 克；结转 {left} 克。",
    ),
    "deposited": (
        "Deposited at index {index}: {units} units of {series}, {first} to {last}, of {owner}.",
        "已于序号 {index} 存入 {owner} 的 {series} 的 {units} 个单位（{first} 至 {last}）。",
    ),
    "moved-transfer": (
        "Transferred at index {index}: {units} units of {series}, {first} to {last}, to {owner}.",
        "已于序号 {index} 转移 {series} 的 {units} 个单位（{first} 至 {last}）给 {owner}。",
    ),
    "moved-offer": (
        "Offered at index {index}: {units} units of {series}, {first} to {last}, to {exchange}; "
        "they are locked, and {owner} may take them back from {expires}.",
        "已于序号 {index} 将 {series} 的 {units} 个单位（{first} 至 {last}）向 {exchange} "
        "提出要约；单位已锁定，{owner} 自 {expires} 起可以收回。",
    ),
    "moved-import": (
        "Imported at index {index}: {units} units of {series}, {first} to {last}, by {owner}.",
        "{owner} 已于序号 {index} 导入 {series} 的 {units} 个单位（{first} 至 {last}）。",
    ),
    "import-credited": (
        "It stands on a final checkpoint, and is credited.",
        "该导入已由最终检查点覆盖，予以入账。",
    ),
    "import-not-credited": (
        "It is credited only once a checkpoint that holds it is final.",
        "须待包含该导入的检查点成为最终后方可入账。",
    ),
    "cosigner-cosigned": ("{name} has cosigned.", "{name} 已会签。"),
    "cosigner-failed": ("{name} has not: {reason}", "{name} 未会签：{reason}"),
    "cosign-final": ("Block {height} is final.", "区块 {height} 已成为最终。"),
    "cosign-not-final": (
        "Block {height} is not final: the quorum is not reached.",
        "区块 {height} 尚非最终：未达到法定人数。",
    ),
    "final-no-policy": ("nothing: no witness policy is in force", "无：尚无生效的见证策略"),
    "final-none": ("nothing yet", "尚无"),
    "final-up-to": ("up to block {height}", "至区块 {height}"),
    "final-all": ("all, up to block {height}", "全部，至区块 {height}"),
    "moved-release": (
        "Released at index {index}: {units} units of {series}, {first} to {last}, are {owner}'s "
        "to use again.",
        "已于序号 {index} 解除锁定：{owner} 可再次使用 {series} 的 {units} 个单位"
        "（{first} 至 {last}）。",
    ),
    "moved-retirement": (
        "Retired for good at index {index}: {units} units of {series}, {first} to {last}.",
        "已于序号 {index} 永久注销 {series} 的 {units} 个单位（{first} 至 {last}）。",
    ),
    "moved-cancellation": (
        "Cancelled for good at index {index}: {units} units of {series}, {first} to {last}.",
        "已于序号 {index} 永久取消 {series} 的 {units} 个单位（{first} 至 {last}）。",
    ),
    "holdings-none": ("No units are held.", "没有持有任何单位。"),
    "holdings-total": ("{status}: {count} units", "{status}：{count} 个单位"),
    "status-held": ("held", "持有"),
    "status-locked": ("locked", "锁定"),
    "status-retired": ("retired", "已注销"),
    "status-cancelled": ("cancelled", "已取消"),
    "status-offered": (
        "locked: offered to {exchange} until {expires}",
        "锁定：向 {exchange} 要约至 {expires}",
    ),
    "proof-written": (
        "The proof is in {path} ({size} bytes).",
        "证明已存入 {path}（{size} 字节）。",
    ),
    "close-done": (
        "Closed: all days before {until}. {lots} lots, {count} reductions, {grams} g.",
        "已结清 {until} 之前各日：{lots} 个批次，{count} 笔减排量，共 {grams} 克。",
    ),
    "lots-until": (
        "The books of all days before {until} are closed.",
        "{until} 之前各日的账目均已结清。",
    ),
    "proof-check": ("Check it with: {command}", "核验命令：{command}"),
    "line-free": ("Nobody holds any of it.", "无人持有其任何部分。"),
    "more-lines": ("… and {count} more.", "……另有 {count} 项。"),
    "span-whole": ("all of it", "整条"),
    "span-seat": ("seat {seat} until {day}", "截至 {day} 的第 {seat} 席"),
    "span-a-seat": ("the lowest free seat until {day}", "截至 {day} 的最低空席"),
    # A methodology as a page.
    "page-version": ("{id}, version {version}", "{id}，第 {version} 版"),
    "page-holder": ("Its holder in a register: {holder}", "在登记册中的持有者：{holder}"),
    "page-source": ("Where its figures come from", "数据来源"),
    "page-activity": ("What an activity must give", "活动须提供的内容"),
    "page-grams": ("Grams of CO2 equivalent", "减排量（克二氧化碳当量）"),
    "page-points": ("Points", "积分"),
    "page-claims": ("What it claims, and what that stops", "占用的线，及其防止的重复计入"),
    "page-choice": ("one of: {values}", "以下之一：{values}"),
    "page-instant": ("start and end: the same instant", "start 与 end：同一时刻"),
    "page-exactly": ("start and end: exactly {length} apart", "start 至 end：正好 {length}"),
    "page-between": (
        "start and end: {least} to {most} apart",
        "start 至 end：相隔 {least} 至 {most}",
    ),
    "page-pseudonym": ("a pseudonym of the class {name}", "{name} 类的假名"),
    "page-issuer": (
        "who gave the number, from the ledger's list for the class {name}",
        "编号方，须在账本 {name} 类的名单上",
    ),
    "page-month": ("a month, such as 2026-03", "月份，如 2026-03"),
    "page-text": ("a text", "文本"),
    "page-optional": ("{what}; optional", "{what}；可不提供"),
    "page-quantity": ("an integer, {least} to {most}", "整数，{least} 至 {most}"),
    "page-formula": ("{formula}, rounded down to whole grams", "{formula}，向下取整为克"),
    "page-grams-between": (
        "A reduction has {least} to {most} g.",
        "每笔减排量为 {least} 至 {most} 克。",
    ),
    "page-duration": ("seconds from start to end", "start 至 end 的秒数"),
    "page-year": ("year of start", "start 的年份"),
    "page-points-formula": ("{formula}, rounded down", "{formula}，向下取整"),
    "page-whole": ("all of it, once for ever", "整条，永久一次"),
    "page-span": ("the time from start to end", "start 至 end 的时间"),
    "page-nominal": ("{length} from start on", "自 start 起 {length}"),
    "page-guard": ("{what}, and {length} before and after", "{what}，前后各加 {length}"),
    "page-day-seats": (
        "one seat of {seats} a day, across all platforms",
        "每日 {seats} 席之一，各平台合计",
    ),
    "page-month-seats": (
        "one seat of {seats} a month, across all platforms",
        "每月 {seats} 席之一，各平台合计",
    ),
    "page-year-seats": (
        "one seat of {seats} a year, across all platforms",
        "每年 {seats} 席之一，各平台合计",
    ),
    "page-claim-optional": (
        "{what}; only where the activity gives {field}",
        "{what}；仅在活动提供 {field} 时",
    ),
    "page-stops": ("stops: {what}", "防止：{what}"),
    "page-slots": (
        "{{{field}}} is, by the time of day at start: {rows}. At other times nothing counts.",
        "{{{field}}} 按 start 的当日时刻确定：{rows}。其他时刻不计入。",
    ),
    "page-days": ("{count} d", "{count} 天"),
    "page-hours": ("{count} h", "{count} 小时"),
    "page-minutes": ("{count} min", "{count} 分钟"),
    "page-seconds": ("{count} s", "{count} 秒"),
    "methodologies-library": ("In the library that comes with Tally:", "随附方法学库："),
    "methodologies-ledger": ("Published in the ledger:", "已在账本发布："),
    "schemas-written": (
        "{count} schemas are in {path}.",
        "{path} 中有 {count} 份模式文件。",
    ),
    # Labels.
    "label-algorithm": ("algorithm (COSE)", "算法（COSE）"),
    "label-day": ("day", "日期"),
    "label-expires": ("expires", "失效时间"),
    "label-final": ("final", "最终"),
    "label-grams": ("grams", "克数"),
    "label-height": ("block", "区块"),
    "label-holder": ("holder", "持有者"),
    "label-id": ("id", "标识"),
    "label-index": ("log index", "日志序号"),
    "label-issuer": ("signed by", "签署方"),
    "label-cosigner-key": ("cosigner's key, for a policy", "会签者密钥，用于信任策略"),
    "label-key-id": ("key id", "密钥标识"),
    "label-keys": ("keys", "密钥目录"),
    "label-kind": ("kind", "种类"),
    "label-leaf": ("leaf hash", "叶哈希"),
    "label-ledger": ("ledger", "账本"),
    "label-ledger-id": ("ledger id", "账本标识"),
    "label-log-key": ("log key", "日志公钥"),
    "label-methodologies": ("methodologies", "方法学"),
    "label-open-from": ("open from", "开放起始日"),
    "label-origin": ("log", "日志"),
    "label-epochs": ("keys of pseudonyms", "假名密钥"),
    "label-kernel": ("kernel", "内核"),
    "label-participant": ("participant", "参与方"),
    "label-participants": ("participants", "参与方"),
    "label-platform": ("platform", "平台"),
    "label-policy": ("trust policy", "信任策略"),
    "label-proposals": ("open proposals", "待批提案"),
    "label-public-key": ("public key", "公钥"),
    "label-published": ("published entries", "已发布条目"),
    "label-recorded": ("recorded", "已登记"),
    "label-refused": ("refused", "被拒"),
    "label-register": ("register root", "登记册的根"),
    "label-root": ("log root", "日志的根"),
    "label-scenario": ("scenario", "场景"),
    "label-scenarios": ("scenarios", "场景"),
    "label-seal": ("seal", "封印"),
    "label-size": ("entries", "条目数"),
    "label-subject": ("about", "主题"),
    "label-time": ("time", "时间"),
    "label-version": ("methodology version", "方法学版本"),
    "label-voided": ("voided by entry", "作废条目"),
    "label-waiting": ("waiting", "等待入块"),
    "column-claims": ("claims, or why it earns nothing", "主张，或不计入的原因"),
    "column-approved-by": ("approved by", "批准方"),
    "column-change": ("change", "变更"),
    "column-count": ("reductions", "笔数"),
    "column-class": ("class", "类别"),
    "column-day": ("day", "日期"),
    "column-from": ("from", "起始日"),
    "column-grams": ("grams", "克数"),
    "column-holder": ("holder", "持有者"),
    "column-id": ("id", "标识"),
    "column-index": ("index", "序号"),
    "column-issuer": ("signed by", "签署方"),
    "column-kind": ("kind", "种类"),
    "column-leaf": ("leaf hash", "叶哈希"),
    "column-line": ("line", "行"),
    "column-line-id": ("line", "线"),
    "column-outcome": ("outcome", "结果"),
    "column-platform": ("platform", "平台"),
    "column-points": ("points", "积分"),
    "column-scenario": ("scenario", "场景"),
    "column-root": ("root", "根"),
    "column-position": ("position", "位置"),
    "column-rows": ("rows", "行数"),
    "column-proposed-by": ("proposed by", "提案方"),
    "column-span": ("stretch", "区段"),
    "column-title": ("title", "名称"),
    "column-until": ("until (not included)", "截止日（不含）"),
    "column-version": ("version", "版本"),
    "column-time": ("time", "时间"),
    "column-account": ("account", "账户"),
    "column-first": ("first", "首号"),
    "column-last": ("last", "末号"),
    "column-owner": ("owner", "所有者"),
    "column-registry": ("registry", "登记机构"),
    "column-series": ("series", "系列"),
    "column-status": ("status", "状态"),
    "column-units": ("units", "单位数"),
    "column-why": ("why", "原因"),
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
