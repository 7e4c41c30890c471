#pragma once

#include "tests/interop/verifiers/corpus.h"

#include <functional>

// Certificates that no library would make: changed where they lie, and signed once more.

namespace meshtrust::interop {

/// Changes the certificate at `depth` (0 is the leaf) once all are made. Where another dimension
/// changed or removed it before, nothing happens.
void rework(Draft& draft, std::size_t depth, const std::function<void(X509&)>& change);

/// The parameters of the signature algorithm, DER; empty for none.
void rework_signature(Draft& draft, std::size_t depth, const std::string& parameters);

/// Gives an extension (dotted numbers) this value.
void set_extension(X509& certificate, const std::string& object, const base::Bytes& value);

}  // namespace meshtrust::interop
