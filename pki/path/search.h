#pragma once

#include "pki/path/chain_question.h"

namespace meshtrust::pki {

/// The answer that `rules` lead to. One engine: a depth-first search from the certificate in
/// question towards the anchors, that turns back where the rules do, remembers every signature that
/// it verified, never looks where no anchor can be reached by names, and gives up after a stated
/// amount of work. With the rules of a verifier it says what that verifier would.
ChainVerdict judge_by_rules(const ChainQuestion& question, const Rules& rules);

}  // namespace meshtrust::pki
