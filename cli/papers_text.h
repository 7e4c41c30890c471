#pragma once

#include "base/time.h"
#include "cli/papers.h"

#include <string>

namespace meshtrust::cli {

/// Papers as people read them: certificates as a tree, each below the one that issued it and told
/// once however often it was found; then everything else.
std::string render_papers(const Papers& papers, base::Instant now);

}  // namespace meshtrust::cli
