#include "ca/validity.h"

#include "pki/chain.h"

#include <fmt/format.h>

#include <string>

namespace meshtrust::ca {

using base::Code;
using base::fail;
using base::Instant;
using base::Seconds;
using base::Status;

Status check_lifetime(Seconds lifetime) {
  if (lifetime > Seconds{0}) return {};
  return fail(Code::kInvalidInput,
              fmt::format("lifetime '{}' is not positive", base::format_duration(lifetime)));
}

Status check_fits(const Root& root, Seconds lifetime, Instant now) {
  const pki::CertificateFacts& first = pki::first_to_end(root.issuer(), root.above).facts();
  const std::string name = root.above.empty() ? "the root" : fmt::format("'{}'", first.subject);
  if (now < root.issuer().facts().not_before || now >= first.not_after) {
    return fail(Code::kRefused,
                fmt::format("{} is valid from {} to {}, and it is {}", name,
                            base::format_rfc3339(root.issuer().facts().not_before),
                            base::format_rfc3339(first.not_after), base::format_rfc3339(now)));
  }
  if (now + lifetime <= first.not_after) return {};
  const Seconds possible = first.not_after - now;
  // Somebody who reads this types the duration some minutes later: whole days, or whole minutes.
  const Seconds unit = possible > base::days(1) ? base::days(1) : Seconds(60);
  return fail(
      Code::kRefused,
      fmt::format("lifetime '{}' would outlive {}, which ends on {}",
                  base::format_duration(lifetime), name, base::format_rfc3339(first.not_after)),
      fmt::format("at most {} is possible", base::format_duration(possible - possible % unit)));
}

}  // namespace meshtrust::ca
