/* Where a device keeps what it has promised. */
#ifndef OZONE_STORE_H
#define OZONE_STORE_H

#include "core/include/ozone.h"

class OzoneStore {
public:
    virtual ~OzoneStore() {}
    /* Reads the flash and gives the core its three functions; false when the flash does not answer. */
    virtual bool begin(oz_store &store) = 0;
};

#endif
