// Requests come from whoever wants a certificate: no crash, and what parses is told as JSON.

#include "base/check.h"
#include "pki/inspect.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using meshtrust::pki::CertificateRequest;
  const auto request = CertificateRequest::from_der({data, size});
  if (!request) return 0;
  const auto again = CertificateRequest::from_pem(request->pem());
  MESHTRUST_CHECK(again && again->facts().fingerprint == request->facts().fingerprint);
  (void)meshtrust::base::pretty(meshtrust::pki::to_json({.source = "fuzz", .what = *request}));
  return 0;
}
