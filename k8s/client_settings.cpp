#include "k8s/client_settings.h"

namespace meshtrust::k8s {

std::string ClientSettings::describe_user() const {
  return "user '" + user + "' in " + user_file;
}

}  // namespace meshtrust::k8s
