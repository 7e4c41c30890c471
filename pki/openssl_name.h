#pragma once

#include "base/result.h"
#include "pki/handle.h"
#include "pki/name.h"

#include <string>

namespace meshtrust::pki {

/// The name of an existing certificate in the form that `DistinguishedName::text` has. Several
/// attributes in one RDN are joined by '+'; control characters become "\0A" as in RFC 4514.
std::string text_of(const X509_NAME* name);

/// `name` as a certificate holds it: one attribute per RDN, UTF8String, but PrintableString for C
/// (RFC 5280 4.1.2.4). kInvalidInput when it breaks a rule of `DistinguishedName::check`.
base::Result<X509Name> encode(const DistinguishedName& name);

}  // namespace meshtrust::pki
