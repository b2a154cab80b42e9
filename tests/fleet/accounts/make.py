"""How nats.conf and mover.creds were made: an operator, its system account, an account with JetStream and a user of it,
all with keys that everybody may know. Needs openssl."""

import subprocess,base64,hashlib,json,tempfile
def crc16(d):
    c=0
    for b in d:
        c^=b<<8
        for _ in range(8): c=((c<<1)^0x1021)&0xffff if c&0x8000 else (c<<1)&0xffff
    return c
def enc(raw):
    raw+=crc16(raw).to_bytes(2,'little'); return base64.b32encode(raw).decode().rstrip('=')
class Key:
    def __init__(s,kind,name):
        s.seed=hashlib.sha256(('culvert test '+name).encode()).digest()
        s.file=tempfile.mktemp(); open(s.file,'wb').write(bytes.fromhex('302e020100300506032b657004220420')+s.seed)
        pub=subprocess.check_output(['openssl','pkey','-inform','DER','-in',s.file,'-pubout','-outform','DER'])[-32:]
        k={'O':14,'A':0,'U':20}[kind]<<3
        s.public=enc(bytes([k])+pub); S=18<<3
        s.text=enc(bytes([S|(k>>5),(k&31)<<3])+s.seed)
    def sign(s,data):
        f=tempfile.mktemp(); open(f,'wb').write(data)
        return subprocess.check_output(['openssl','pkeyutl','-sign','-inkey',s.file,'-keyform','DER','-rawin','-in',f])
b64=lambda d: base64.urlsafe_b64encode(d).decode().rstrip('=')
def jwt(issuer,subject,name,nats):
    head=b64(json.dumps({'typ':'JWT','alg':'ed25519-nkey'},separators=(',',':')).encode())
    claims={'iat':1700000000,'iss':issuer.public,'name':name,'sub':subject.public,'nats':nats}
    claims['jti']=base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip('=')
    body=b64(json.dumps(claims,separators=(',',':')).encode())
    return f'{head}.{body}.'+b64(issuer.sign(f'{head}.{body}'.encode()))
O,S,A,U=Key('O','operator'),Key('A','system'),Key('A','account'),Key('U','user')
lim={'subs':-1,'data':-1,'payload':-1,'imports':-1,'exports':-1,'wildcards':True,'conn':-1,'leaf':-1}
js={'mem_storage':-1,'disk_storage':-1,'streams':-1,'consumer':-1}
oj=jwt(O,O,'culvert-test',{'type':'operator','version':2,'system_account':S.public})
sj=jwt(O,S,'SYS',{'type':'account','version':2,'limits':lim})
aj=jwt(O,A,'culvert',{'type':'account','version':2,'limits':{**lim,**js},'default_permissions':{'pub':{},'sub':{}}})
uj=jwt(A,U,'mover',{'type':'user','version':2,'pub':{},'sub':{},'subs':-1,'data':-1,'payload':-1})
open('nats.conf','w').write(f'operator: {oj}\nsystem_account: {S.public}\nresolver: MEMORY\nresolver_preload: {{\n {S.public}: {sj}\n {A.public}: {aj}\n}}\n')
open('mover.creds','w').write(f'-----BEGIN NATS USER JWT-----\n{uj}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{U.text}\n------END USER NKEY SEED------\n')
