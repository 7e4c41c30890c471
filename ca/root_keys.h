#pragma once

#include "pki/key.h"

#include <initializer_list>
#include <vector>

namespace meshtrust::ca {

/// The keys that a run has open and that sign what it records: of the root; of two roots where one
/// follows the other; or none. Borrowed: they outlive this value.
class RootKeys {
 public:
  RootKeys() = default;
  // NOLINTBEGIN(google-explicit-constructor): one key is the usual case, and is passed as it is
  RootKeys(const pki::Signer& one) : keys_{&one} {}
  /// Null for none.
  RootKeys(const pki::Signer* one) {
    if (one != nullptr) keys_.push_back(one);
  }
  // NOLINTEND(google-explicit-constructor)
  RootKeys(std::initializer_list<const pki::Signer*> keys) : keys_(keys) {}

  bool empty() const { return keys_.empty(); }
  auto begin() const { return keys_.begin(); }
  auto end() const { return keys_.end(); }

 private:
  std::vector<const pki::Signer*> keys_;
};

}  // namespace meshtrust::ca
