#pragma once

#include "ca/folder.h"
#include "ca/store.h"

#include <memory>
#include <mutex>
#include <vector>

// Internal to this room: what a store holds in memory.

namespace meshtrust::ca {

/// What a store says, read together.
struct StoreContent {
  ledger::Ledger ledger;
  std::vector<Root> roots;
};

/// The roots of `ledger` and what `custody` says of their keys; its errors.
base::Result<std::vector<Root>> find_roots(Custody& custody, const ledger::Ledger& ledger);

struct TrustStore::State {
  Environment environment;
  Layout layout;
  std::unique_ptr<Custody> custody;
  mutable std::mutex mutex;  // guards what follows; one writer's threads share a store
  ledger::VouchedRoots vouched;
  StoreContent content;
};

}  // namespace meshtrust::ca
