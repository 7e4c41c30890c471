#pragma once

#include "pki/handle.h"
#include "pki/path/path_certificate.h"

// Reading certificates for path building (inside).

namespace meshtrust::pki {

/// The name in the form for comparing.
PathName path_name(const X509_NAME* name);
PathGeneralName path_general_name(const GENERAL_NAME& name);
std::vector<PathGeneralName> path_general_names(const GENERAL_NAMES* names);

/// A point of a distribution point extension. A name that is relative is completed with
/// `crl_issuer`, and stored as a directory name.
PathDistributionPoint path_distribution_point(DIST_POINT_NAME* name,
                                              const ASN1_BIT_STRING* reasons,
                                              const GENERAL_NAMES* issuers,
                                              const X509_NAME* crl_issuer);

/// Nothing where it is no text, or not well formed.
std::optional<std::string> utf8_of(const ASN1_STRING* value);
PathKey path_key(const X509_PUBKEY* info);
PathSignature path_signature(const X509_ALGOR* outer, const X509_ALGOR* inner);

/// Everything in the extensions of `certificate`, and what is wrong with them.
void read_path_extensions(const X509& certificate, PathFacts& facts);

/// A decoded extension, or null when `extension` does not decode to its end.
void* decode_to_end(const X509_EXTENSION* extension);

/// What is not DER about an encoding that may well be BER.
struct DerFlaws {
  /// A length that is indefinite or longer than need be, a truth value other than 0 and 255,
  /// something left over (X.690 10.1, 11.1).
  bool lengths = false;
  bool tags = false;  ///< a SEQUENCE or SET that says it is primitive, or a string in parts (10.2)
  bool padding = false;  ///< a BIT STRING whose unused bits are not zero, or too many (11.2.1)
  /// What no value of its type looks like: a UTF8String of something else, an RDN of no attribute.
  bool contents = false;

  bool any() const { return lengths || tags || padding; }
};

/// Whether the unused bits of a BIT STRING's content are zero, and seven at most.
bool has_clean_padding(base::ByteView bits);

/// Looks into constructed elements alone.
DerFlaws flaws_of_der(base::ByteView der);

}  // namespace meshtrust::pki
