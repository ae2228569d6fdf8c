# A room is one static library, and its headers are reached through its name: "scan/device_table.h".
# Each room gets an include folder of its own that holds nothing but a link to it; a room sees those
# of the rooms it is linked to and no others, so that an include against the arrows of
# gateway/ARCHITECTURE.md does not compile.

set(BLEFLEET_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wstrict-prototypes
                      -Wmissing-prototypes -Wvla)
if(BLEFLEET_WERROR)
  list(APPEND BLEFLEET_WARNINGS -Werror)
endif()

# room(NAME SOURCES … [PUBLIC rooms whose headers appear in ours] [PRIVATE rooms and libraries])
function(room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:C>:${BLEFLEET_WARNINGS}>)
  target_link_libraries(${name} PUBLIC ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})
  room_door(${name} ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()

# Lets NAME/… lead to the folder (or, with further arguments, to these headers of it alone).
function(room_door name folder)
  set(door ${CMAKE_BINARY_DIR}/rooms/${name})
  file(REMOVE_RECURSE ${door})
  file(MAKE_DIRECTORY ${door})
  if(ARGN)
    file(MAKE_DIRECTORY ${door}/${name})
    foreach(header ${ARGN})
      file(CREATE_LINK ${folder}/${header} ${door}/${name}/${header} SYMBOLIC)
    endforeach()
  else()
    file(CREATE_LINK ${folder} ${door}/${name} SYMBOLIC)
  endif()
  target_include_directories(${name} PUBLIC ${door})
endfunction()
