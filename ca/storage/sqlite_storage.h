#pragma once

#include "ca/storage/storage.h"

#include <filesystem>
#include <memory>

namespace meshtrust::ca {

/// The ledger in a SQLite database: two tables to which lines are added and in which nothing is
/// ever changed, and one that says how far each CA's key has signed them. One that an older
/// meshtrust wrote has not got that third table until something is signed.
///
/// Reading checks that the file is sound and ours. A write that was killed half-way is rolled back
/// first, where the caller may write; apart from that nothing is written by it.
std::unique_ptr<Storage> sqlite_storage(const std::filesystem::path& file);

}  // namespace meshtrust::ca
