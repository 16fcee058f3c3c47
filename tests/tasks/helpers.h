// What the tests of tasks and compression share: where data lies, and how an error is expected.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tensor/error.h"

// The statement raises ink::Error whose message contains the text.
#define EXPECT_ERROR(statement, text)                                                           \
  try {                                                                                         \
    (void)(statement);                                                                          \
    ADD_FAILURE() << "no error was raised; expected: " << (text);                               \
  } catch (const ink::Error& error) {                                                           \
    EXPECT_NE(error.message().find(text), std::string::npos) << "message: " << error.message(); \
  }

namespace ink {

inline std::filesystem::path data_folder() {
  const char* given = std::getenv("INK_DATA");
  return given ? given : std::filesystem::path(INK_SOURCE_DIR) / ".." / "shared" / "data";
}

}  // namespace ink
