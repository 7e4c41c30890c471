#include "ledger/line.h"

#include "base/encoding.h"

#include <fmt/format.h>

#include <array>

namespace meshtrust::ledger {

std::string chain_digest(std::string_view previous, const Line& line) {
  const std::array fields{std::string(previous),
                          std::to_string(line.sequence),
                          std::to_string(line.at.time_since_epoch().count()),
                          line.who.user,
                          line.who.host,
                          line.who.command,
                          line.who.reason,
                          line.event,
                          line.fingerprint,
                          line.cluster,
                          line.detail};
  std::string covered;
  for (const std::string& field : fields) {
    covered += fmt::format("{}:{},", field.size(), field);
  }
  return base::to_hex(base::sha256(base::as_bytes(covered)));
}

}  // namespace meshtrust::ledger
