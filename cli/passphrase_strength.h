#pragma once

#include "base/files.h"
#include "base/secret.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::cli {

/// Why somebody who has the key file would soon guess `passphrase`, in words that tell nothing of
/// it
/// ("shorter than 12 characters"); empty when nothing speaks for that. `names` are what anybody
/// would try first: of the mesh, of the store, of the subject.
///
/// The rule: at least 12 characters, at least six of them different, not digits alone (unless 20 or
/// more), no run such as 'abcdefgh', and more than a name or a common word with digits and marks
/// around it.
std::vector<std::string> weaknesses_of(const base::Secret& passphrase,
                                       std::span<const std::string> names);

/// What is wrong with who may read the file of a passphrase, and how to change that; empty when
/// nothing is, or when `path` is no ordinary file (a pipe).
std::string exposure_of(base::Files& files, const std::string& path);

/// The words of a subject or a path, for `weaknesses_of`: "O=Shop,CN=Shop Mesh Root" gives "Shop"
/// and "Shop Mesh Root".
std::vector<std::string> names_in(std::string_view subject, std::string_view path);

}  // namespace meshtrust::cli
