#pragma once

#include "mesh/check.h"

#include <string>
#include <vector>

// What a running istiod signs with, which is not always what `cacerts` says.

namespace meshtrust::mesh {

void check_cacerts_read(const CheckSubject& subject, Answer& answer);
void check_istiod_uses_cacerts(const CheckSubject& subject, Answer& answer);

/// How the running istiod of `signer`, whose workloads trust another root than the mesh's, comes to
/// sign below the mesh's: by hand, and at which price. Nothing where its `cacerts` is somebody
/// else's, or may be there.
std::vector<std::string> how_to_change_its_root(const CheckSubject& subject,
                                                const profiles::Cluster& signer);

}  // namespace meshtrust::mesh
