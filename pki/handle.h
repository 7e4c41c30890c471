#pragma once

// The owners of OpenSSL's types: one alias each. Included by sources of this folder only.

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace meshtrust::pki {

template <auto Free>
struct FreeWith {
  void operator()(auto* object) const noexcept { Free(object); }
};
template <class T, auto Free>
using Handle = std::unique_ptr<T, FreeWith<Free>>;

using Pkey = Handle<EVP_PKEY, EVP_PKEY_free>;
using PkeyContext = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using Pkcs8 = Handle<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using Encrypted = Handle<X509_SIG, X509_SIG_free>;
using Pbe2Parameters = Handle<PBE2PARAM, PBE2PARAM_free>;
using Algorithm = Handle<X509_ALGOR, X509_ALGOR_free>;

using X509Handle = Handle<X509, X509_free>;
using RequestHandle = Handle<X509_REQ, X509_REQ_free>;
using RevocationListHandle = Handle<X509_CRL, X509_CRL_free>;
using X509Name = Handle<X509_NAME, X509_NAME_free>;
using PublicKey = Handle<X509_PUBKEY, X509_PUBKEY_free>;
using Extension = Handle<X509_EXTENSION, X509_EXTENSION_free>;
inline void free_extensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
using Extensions = Handle<STACK_OF(X509_EXTENSION), free_extensions>;

using Enumerated = Handle<ASN1_ENUMERATED, ASN1_ENUMERATED_free>;
using Integer = Handle<ASN1_INTEGER, ASN1_INTEGER_free>;
using OctetString = Handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using BitString = Handle<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;
using Time = Handle<ASN1_TIME, ASN1_TIME_free>;
using BigNumber = Handle<BIGNUM, BN_free>;

using ConstraintsExtension = Handle<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;
using AuthorityKeyId = Handle<AUTHORITY_KEYID, AUTHORITY_KEYID_free>;
using AlternativeNames = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using ObjectList = Handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;

using Store = Handle<X509_STORE, X509_STORE_free>;
using StoreContext = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;
/// Owns the stack only: the certificates in it belong to their `Certificate`s.
inline void free_stack_alone(STACK_OF(X509) * stack) {
  sk_X509_free(stack);
}
using CertificateStack = Handle<STACK_OF(X509), free_stack_alone>;

static_assert(sizeof(Pkey) == sizeof(EVP_PKEY*));

}  // namespace meshtrust::pki
