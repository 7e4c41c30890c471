#pragma once

#include "base/time.h"
#include "mesh/rotation/plan.h"

#include <string>

namespace meshtrust::mesh::rotation {

/// The time over which certificates are judged.
struct Span {
  base::Instant from;
  base::Instant until;
};

/// All of a track that a verifier, or istiod, decides by; two tracks of one shape are judged alike
/// by everybody. Roots count as they are. Of a cluster's own certificates names, keys and serial
/// numbers count only as far as they are each other's, and dates as far as they cover `span`; that
/// they are signed by whom they name is verified here, for each.
std::string shape_of(const Track& track, const Span& span);

}  // namespace meshtrust::mesh::rotation
