#pragma once

#include "pki/path/chain_question.h"

#include <span>
#include <string_view>

namespace meshtrust::pki {

/// "meshtrust", "openssl", "botan", "go", "boringssl", "webpki": ours first, then who meets in a
/// mesh. OpenSSL and Botan are the libraries themselves; the last three are modelled by `Rules`.
std::span<const std::string_view> chain_judges();

/// What `judge` answers; one of `chain_judges`. Never throws, and takes a bounded time: where a
/// library would look at every one of very many paths or names, it is not asked and refuses.
ChainVerdict judge_chain(const ChainQuestion& question, std::string_view judge);

/// The libraries' own verdicts, as Debian's peers would have it: 112 bits of security, every root
/// an anchor. Of reference names OpenSSL compares all but URIs, Botan DNS names and addresses.
ChainVerdict ask_openssl(const ChainQuestion& question);
ChainVerdict ask_botan(const ChainQuestion& question);

}  // namespace meshtrust::pki
