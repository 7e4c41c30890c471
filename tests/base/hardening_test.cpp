#include "base/hardening.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace meshtrust::base {
namespace {

TEST(ForgetUnsafeVariables, LeavesNothingThatWritesDownOrLoads) {
  const std::vector<std::string> unsafe{"SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_CONF_INCLUDE",
                                        "OPENSSL_MODULES", "OPENSSL_ENGINES"};
  for (const std::string& name : unsafe) {
    setenv(name.c_str(), "/tmp/x", 1);
  }
  setenv("SSL_CERT_FILE", "/tmp/roots.pem", 1);
  forget_unsafe_variables();
  for (const std::string& name : unsafe) {
    EXPECT_EQ(std::getenv(name.c_str()), nullptr) << name;
  }
  EXPECT_STREQ(std::getenv("SSL_CERT_FILE"), "/tmp/roots.pem")
      << "says whom to trust, as for kubectl";
  unsetenv("SSL_CERT_FILE");
}

}  // namespace
}  // namespace meshtrust::base
