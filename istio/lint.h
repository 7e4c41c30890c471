#pragma once

#include "pki/rule.h"

#include <span>
#include <string_view>

namespace meshtrust::istio {

/// The whole table of rules: certificates, revocation lists (`pki/lint.h`), and what istiod makes
/// of them as files. `judge_bundle` reports by these ids.
std::span<const pki::Rule> all_rules();

/// Null for an id that is none.
const pki::Rule* find_rule(std::string_view id);

}  // namespace meshtrust::istio
