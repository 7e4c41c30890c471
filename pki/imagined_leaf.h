#pragma once

#include "base/result.h"
#include "base/time.h"
#include "pki/certificate.h"

namespace meshtrust::pki {

/// The certificate of a workload as istiod would sign it with the key of `authority` around `at`
/// (Istio: critical URI alone, both purposes, the issuer's key identifier where it has one). Its
/// signature is a worthless key's of the same kind, because nobody here has the key: who is asked
/// about it has to take that signature for granted. kInvalidInput for a kind of key that makes no
/// signatures.
base::Result<Certificate> imagine_leaf(const Certificate& authority, base::Instant at);

}  // namespace meshtrust::pki
