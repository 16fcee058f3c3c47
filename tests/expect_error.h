// EXPECT_ERROR(statement, "part of the message"): the statement raises ink::Error
// with that sentence.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "tensor/error.h"

#define EXPECT_ERROR(statement, part)                                                         \
  try {                                                                                       \
    statement;                                                                                \
    ADD_FAILURE() << "expected an error with: " << (part);                                    \
  } catch (const ink::Error& error_) {                                                        \
    EXPECT_NE(error_.message().find(part), std::string::npos) << "got: " << error_.message(); \
  }
