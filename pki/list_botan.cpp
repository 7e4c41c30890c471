#include "pki/list_botan.h"

#include <botan/pk_keys.h>
#include <botan/x509_crl.h>
#include <botan/x509_dn.h>
#include <botan/x509cert.h>

#include <exception>

namespace meshtrust::pki {

bool is_accepted_by_botan(const RevocationList& list, const Certificate& issuer) {
  try {
    const Botan::X509_CRL crl(list.der());
    const Botan::X509_Certificate authority(issuer.der());
    const auto key = authority.load_subject_public_key();
    return crl.issuer_dn() == authority.subject_dn() && crl.check_signature(*key);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace meshtrust::pki
