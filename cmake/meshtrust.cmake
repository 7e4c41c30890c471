# The build's own vocabulary: a room is a library, the program links them all.

set(MESHTRUST_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined")
option(MESHTRUST_FUZZ "Build the fuzz targets instead of the replay of their seeds" OFF)

add_library(meshtrust_options INTERFACE)
target_compile_options(meshtrust_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # g++ 12 with -O3 sees overlapping copies in std::string's operator+ where there are none.
  target_compile_options(meshtrust_options INTERFACE -Wno-restrict)
endif()
target_include_directories(meshtrust_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(meshtrust_options INTERFACE MESHTRUST_VERSION="${PROJECT_VERSION}")
# What OpenSSL 3 deprecates stays out of this code.
target_compile_definitions(meshtrust_options INTERFACE OPENSSL_API_COMPAT=30000 OPENSSL_NO_DEPRECATED)
if(MESHTRUST_SANITIZE)
  target_compile_options(meshtrust_options INTERFACE -fsanitize=${MESHTRUST_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(meshtrust_options INTERFACE -fsanitize=${MESHTRUST_SANITIZE})
endif()

# meshtrust_room(NAME [ROOMS a b] [LIBRARIES x y]): the library of the folder NAME, all its sources.
function(meshtrust_room name)
  cmake_parse_arguments(arg "" "" "ROOMS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cpp$|/base/wiping_heap\\.cpp$")
  list(TRANSFORM arg_ROOMS PREPEND meshtrust_)
  if(sources)
    add_library(meshtrust_${name} STATIC ${sources})
    target_link_libraries(meshtrust_${name} PUBLIC meshtrust_options ${arg_ROOMS} ${arg_LIBRARIES})
  else()
    add_library(meshtrust_${name} INTERFACE)
    target_link_libraries(meshtrust_${name} INTERFACE meshtrust_options ${arg_ROOMS} ${arg_LIBRARIES})
  endif()
  add_library(meshtrust::${name} ALIAS meshtrust_${name})
endfunction()

# The program. Its heap wipes what it frees; sanitizers bring a heap of their own.
function(meshtrust_program)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/cli/main.cpp)
    return()
  endif()
  add_executable(meshtrust ${PROJECT_SOURCE_DIR}/cli/main.cpp)
  target_link_libraries(meshtrust PRIVATE meshtrust_cli)
  if(NOT MESHTRUST_SANITIZE)
    target_sources(meshtrust PRIVATE ${PROJECT_SOURCE_DIR}/base/wiping_heap.cpp)
  endif()
  set_target_properties(meshtrust PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endfunction()
