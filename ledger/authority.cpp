#include "ledger/authority.h"

namespace meshtrust::ledger {

std::string_view name_of(AuthorityKind kind) {
  switch (kind) {
    case AuthorityKind::kRoot:
      return "root";
    case AuthorityKind::kBridge:
      return "bridge";
    case AuthorityKind::kIssuing:
      return "issuing";
    case AuthorityKind::kIntermediate:
      break;
  }
  return "intermediate";
}

std::string_view name_of(Delivery delivery) {
  switch (delivery) {
    case Delivery::kMinted:
      return "minted";
    case Delivery::kPushing:
      return "pushing";
    case Delivery::kPushed:
      return "pushed";
    case Delivery::kAbandoned:
      break;
  }
  return "abandoned";
}

std::string_view name_of(RootState state) {
  switch (state) {
    case RootState::kNext:
      return "next";
    case RootState::kCurrent:
      return "current";
    case RootState::kFormer:
      return "former";
    case RootState::kRetired:
      break;
  }
  return "retired";
}

bool Authority::may_be_in_use(base::Instant at) const {
  const bool is_below = kind == AuthorityKind::kIntermediate || kind == AuthorityKind::kIssuing;
  return is_below && state != Delivery::kAbandoned && at <= certificate.facts().not_after;
}

}  // namespace meshtrust::ledger
