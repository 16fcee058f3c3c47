// What the tests of tasks and compression share: where data lies, and how an error is expected.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

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

// Two runs without one loss in common: what they differ in acts in every step.
inline void expect_all_differ(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_GT(a.size(), 2u);
  ASSERT_EQ(a.size(), b.size());
  for (size_t step = 0; step < a.size(); ++step) EXPECT_NE(a[step], b[step]) << "step " << step;
}

}  // namespace ink
