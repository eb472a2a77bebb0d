"""The gateway: at the platform, between its own programs and the ledger.

Programs in any language give it what happened, with plain identifiers (`lines`), over local HTTP
(`app`) or in files (`folder`).  It keeps each line until it has its result (`queue`), and on the
way makes pseudonyms, computes, signs, sends and verifies (`gateway`).
"""
