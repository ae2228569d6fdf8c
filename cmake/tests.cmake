# unit_test(ROOM/test_NAME LIBRARIES … [LINK_OPTIONS …] [COUNTS_ALLOCATIONS]): tests/unit/ROOM/test_NAME.c becomes an
# executable of its own and the ctest unit.ROOM.NAME; integration_test the same for tests/integration.
# CTest supplies parallelism, isolation and time-outs. Both carry the label unit (the everyday ring).
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka>=1.1.5)

function(c_test kind path)
  cmake_parse_arguments(TEST "COUNTS_ALLOCATIONS" "" "LIBRARIES;LINK_OPTIONS" ${ARGN})
  string(REGEX REPLACE "/test_" "." name ${path})
  string(REPLACE "/" "." name ${name})
  set(target ${kind}.${name})
  add_executable(${target} ${CMAKE_SOURCE_DIR}/tests/${kind}/${path}.c)
  target_compile_options(${target} PRIVATE ${BLEFLEET_WARNINGS})
  target_compile_definitions(${target} PRIVATE TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
  target_link_libraries(${target} PRIVATE ${TEST_LIBRARIES} PkgConfig::CMOCKA)
  target_link_options(${target} PRIVATE ${TEST_LINK_OPTIONS})
  if(TEST_COUNTS_ALLOCATIONS)
    target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/lib/allocations.c)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/lib)
    target_link_options(${target} PRIVATE -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
      -Wl,--wrap=free)
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${target} COMMAND ${target})
  # Devices on the network of this machine are nobody's business here.
  set_tests_properties(${target} PROPERTIES LABELS unit TIMEOUT 60
    ENVIRONMENT DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere)
endfunction()

function(unit_test path)
  c_test(unit ${path} ${ARGN})
endfunction()

function(integration_test path)
  c_test(integration ${path} ${ARGN})
endfunction()
